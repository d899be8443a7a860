import Synchronization

/// The exit code of the last verdict of a watch; "could not tell" before the first.
final class LastVerdict: Sendable {
    private let code = Mutex<Int32>(3)

    /// Remembers a finding.
    func note(_ finding: HealthFinding) { code.withLock { $0 = finding.exitCode } }

    /// The last one's code.
    var exitCode: Int32 { code.withLock { $0 } }
}
