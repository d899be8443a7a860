internal import Foundation
public import SkeinCore
internal import SkeinTransport
internal import Synchronization

/// A node that runs as a child process of this one.
///
/// The child holds the reading end of a pipe whose writing end is ours alone: when this process
/// ends, however it ends, the pipe closes and the child leaves. So no node outlives its parent.
public final class NodeProcess: Sendable {
    /// The node's name.
    public let name: String

    private let process = Process()
    private let lifeline = Pipe()
    private let ending: Mutex<Ending>

    /// Whether the child has ended, and who waits for it.
    private struct Ending {
        var status: Int32?
        var waiting: [CheckedContinuation<Int32, Never>] = []
    }

    /// Starts `skein node` for one node of a cluster file.
    ///
    /// - Parameters:
    ///   - program: the path of this program.
    ///   - log: how the node says what happens, on the standard error of this process.
    ///   - statusAddress: where it answers supervisors, whatever the file says.
    public init(
        program: String, clusterFile: String, name: String, log: NodeLog,
        statusAddress: TCPAddress? = nil
    ) throws(Refusal) {
        self.name = name
        ending = Mutex(Ending())
        process.executableURL = URL(filePath: program)
        process.arguments =
            ["node", "--cluster", clusterFile, "--name", name, "--exit-with-input"] + log.arguments
        if let statusAddress { process.arguments?.append("--status=\(statusAddress.hostAndPort)") }
        // A service manager wants to hear of this process alone.
        process.environment = ProcessInfo.processInfo.environment.filter {
            !NotifySocket.variables.contains($0.key)
        }
        process.standardInput = lifeline
        process.standardOutput = FileHandle.nullDevice
        process.terminationHandler = { [weak self] process in self?.end(process) }
        do {
            try process.run()
        } catch {
            throw Refusal("node \(name)", "cannot be started: \(error.localizedDescription)")
        }
    }

    /// The child's process number.
    public var processID: Int { Int(process.processIdentifier) }

    /// Waits for the child's end.
    ///
    /// - Returns: its exit status.
    public func waitForEnd() async -> Int32 {
        await withCheckedContinuation { continuation in
            let status = ending.withLock { ending in
                if ending.status == nil { ending.waiting.append(continuation) }
                return ending.status
            }
            if let status { continuation.resume(returning: status) }
        }
    }

    /// Several may wait: the watch for losses, and the end of the cluster.
    private func end(_ process: Process) {
        let status = process.terminationStatus
        let waiting = ending.withLock { ending in
            defer { ending.waiting = [] }
            ending.status = status
            return ending.waiting
        }
        for continuation in waiting { continuation.resume(returning: status) }
    }

    /// Waits for the child's end; one that does not leave in time is ended, so that nothing stays.
    func waitForEnd(atMost bound: Duration) async {
        let watchdog = Task {
            do { try await Task.sleep(for: bound) } catch { return }
            kill()
        }
        _ = await waitForEnd()
        watchdog.cancel()
    }

    /// Lets go of the lifeline: the child leaves in good order.
    public func release() {
        do {
            try lifeline.fileHandleForWriting.close()
        } catch {
            process.terminate()
        }
    }

    /// Has the child read its keys again.
    func hangUp() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGHUP)
    }

    /// Ends the child at once.
    public func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
    }
}
