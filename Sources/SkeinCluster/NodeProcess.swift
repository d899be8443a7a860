internal import Foundation
public import SkeinCore

/// A node that runs as a child process of this one.
///
/// The child holds the reading end of a pipe whose writing end is ours alone: when this process
/// ends, however it ends, the pipe closes and the child leaves. So no node outlives its parent.
public final class NodeProcess: Sendable {
    /// The node's name.
    public let name: String

    private let process = Process()
    private let lifeline = Pipe()
    private let ending: AsyncStream<Int32>

    /// Starts `skein node` for one node of a cluster file.
    ///
    /// - Parameter program: the path of this program.
    public init(program: String, clusterFile: String, name: String) throws(Refusal) {
        self.name = name
        let (ending, ended) = AsyncStream.makeStream(
            of: Int32.self, bufferingPolicy: .bufferingOldest(1))
        self.ending = ending
        process.executableURL = URL(filePath: program)
        process.arguments = [
            "node", "--cluster", clusterFile, "--name", name, "--exit-with-input",
        ]
        process.standardInput = lifeline
        process.standardOutput = FileHandle.nullDevice
        process.terminationHandler = { process in
            ended.yield(process.terminationStatus)
            ended.finish()
        }
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
        for await status in ending { return status }
        return process.terminationStatus
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

    /// Ends the child at once.
    public func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
    }
}
