import Foundation
import Logging
import SkeinCoordinator
import SkeinCore
import SkeinServer

/// What `serve` and `up` have in common.
enum ServedModel {
    /// How long running requests may take to finish when the server is asked to end.
    static let drainSecondsMax = 30

    /// The same where the next head goes on with them: to wait would keep it from starting.
    static let handoverSecondsMax = 2

    /// The name by which clients ask for the model in a folder.
    static func name(folder: String) -> String {
        URL(filePath: folder).resolvingSymlinksInPath().lastPathComponent
    }

    /// Serves until the task is cancelled, the cluster is asked to end, or it ends; then drains.
    ///
    /// - Throws: the reason for which the cluster ended.
    static func serve(_ server: HTTPFront, until coordinator: Coordinator) async throws {
        var ending: Refusal?
        while !Task.isCancelled, ending == nil, !server.isAskedToEnd {
            ending = await coordinator.endReason
            do { try await Task.sleep(for: .milliseconds(250)) } catch { break }
        }
        // Draining must go on where this task is cancelled already.
        await Task { await drain(server, of: coordinator) }.value
        if let ending { throw ending }
    }

    /// Lets running requests finish, within a bound and as long as a stage can run.
    private static func drain(_ server: HTTPFront, of coordinator: Coordinator) async {
        let keepsRequests = await coordinator.keepsRequests
        let isHandover = keepsRequests && !server.isAskedToEnd
        // The next head has nodes, though this one may have none left.
        let watch = isHandover ? nil : Task { await watchRing(of: server, coordinator) }
        await server.drain(
            atMost: .seconds(isHandover ? handoverSecondsMax : drainSecondsMax),
            leavesRequests: isHandover)
        watch?.cancel()
    }

    /// Ends requests that wait for nodes when none is left, and says whom others wait for.
    private static func watchRing(of server: HTTPFront, _ coordinator: Coordinator) async {
        var waitedFor: [String] = []
        while !Task.isCancelled {
            let runningCount = server.runningCount
            if runningCount > 0, await coordinator.isDeserted {
                Console.say(
                    "no node is left: \(runningCount) running request(s) end now",
                    level: .warning)
                await coordinator.fail(Refusal("cluster", "no node is left, and the head ends"))
                return
            }
            let missing = await coordinator.missingNodes
            if runningCount > 0, missing != waitedFor, !missing.isEmpty {
                Console.say(
                    "\(runningCount) running request(s) wait for node "
                        + "\(missing.joined(separator: ", ")), \(drainSecondsMax) s at most",
                    level: .warning)
            }
            waitedFor = missing
            do { try await Task.sleep(for: .milliseconds(250)) } catch { return }
        }
    }
}
