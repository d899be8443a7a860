import Foundation
import Logging
import SkeinCore
import SkeinTransport
import Synchronization

/// Tells the service manager that has started this process how it is; says nothing where none has.
final class Supervision: Sendable {
    private let notifySocket: NotifySocket?
    /// Whether it was said that the manager cannot be reached: once is enough.
    private let hasWarned = Mutex(false)
    private let isReady = Mutex(false)

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        notifySocket = NotifySocket(environment: environment)
    }

    /// From now on the process does its part.
    func ready() {
        let isNews = isReady.withLock { isReady in
            defer { isReady = true }
            return !isReady
        }
        if isNews { tell("READY=1") }
    }

    /// What it does just now, for `systemctl status`.
    func status(_ line: String) { tell("STATUS=\(line)") }

    /// It ends in good order.
    func stopping() { tell("STOPPING=1") }

    /// Shows at half of the manager's bound that the process is alive, until the task is cancelled.
    ///
    /// - Parameter probe: asks the actors that do the work; while they do not answer nothing is
    ///   shown, and the manager starts the process again.
    func showLife(probe: @Sendable () async -> Void) async {
        guard let interval = notifySocket?.heartbeatInterval else { return }
        while !Task.isCancelled {
            await probe()
            tell("WATCHDOG=1")
            do { try await Task.sleep(for: interval) } catch { return }
        }
    }

    private func tell(_ line: String) {
        guard let notifySocket else { return }
        do throws(Refusal) {
            try notifySocket.tell(line)
        } catch {
            let isFirst = hasWarned.withLock { hasWarned in
                defer { hasWarned = true }
                return !hasWarned
            }
            if isFirst { Console.say("service manager \(error)", level: .warning) }
        }
    }
}
