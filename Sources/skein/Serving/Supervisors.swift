// What a node and this host's part of a cluster tell those who watch over them: the service manager
// that has started the process, and those who ask its status port.

import Foundation
import Logging
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinServer
import SkeinStage
import SkeinTelemetry
import Synchronization

/// Tells how one node is.
final class NodeSupervisor: Sendable {
    private struct State {
        var front: StatusFront?
        var heartbeat: Task<Void, Never>?
    }

    private let supervision = Supervision()
    private let isStandby: Bool
    private let address: TCPAddress?
    private let logger: Logger
    private let state = Mutex(State())

    /// Makes a supervisor that opens no port yet.
    ///
    /// - Parameter address: the status port; `nil` for none.
    init(isStandby: Bool, address: TCPAddress?, logger: Logger) {
        self.isStandby = isStandby
        self.address = address
        self.logger = logger
    }

    /// Opens the status port and begins to show that the node is alive.
    ///
    /// - Throws: a `Refusal` where the port cannot be opened.
    func open(_ figures: @escaping NodeHost.Figures) async throws {
        if let address {
            let front = StatusFront(address: address, logger: logger) {
                StatusReport(await figures(), version: SoftwareVersion.text)
            }
            try await front.start()
            state.withLock { $0.front = front }
        }
        let heartbeat = Task { [supervision] in await supervision.showLife { _ = await figures() } }
        state.withLock { $0.heartbeat = heartbeat }
    }

    /// Passes a step on: ready is who holds its part, or, of those who stand by, who has joined.
    func show(_ progress: NodeProgress) {
        switch progress {
        case .waiting(let coordinator): supervision.status("waiting for the head at \(coordinator)")
        case .joined:
            supervision.status("joined")
            if isStandby { supervision.ready() }
        case .loading(let done, let total):
            supervision.status("loading, \(done) of \(total) bytes")
        case .ready(_, let weights, _):
            supervision.status("ready, \(ByteText(weights)) of weights")
            supervision.ready()
        case .replaced: supervision.status("another node has its place; standing by")
        }
    }

    /// The node ends in good order.
    func stopping() { supervision.stopping() }

    /// Closes the status port.
    func close() async {
        let state = state.withLock { $0 }
        state.heartbeat?.cancel()
        await state.front?.stop()
    }
}

/// Tells how this host's part of a cluster is.
final class UpSupervisor: Sendable {
    private let supervision = Supervision()
    private let coordinator: Coordinator?
    private let front: StatusFront?

    /// Opens the head's status port, where an address is given; elsewhere the only node has it.
    ///
    /// - Throws: a `Refusal` where the port cannot be opened, or whose it is cannot be told; the
    ///   host's part is then ended.
    init(_ host: ClusterHost, at address: TCPAddress?, log: LogOption) async throws {
        coordinator = host.coordinator
        guard let address else {
            front = nil
            return
        }
        do {
            if let coordinator = host.coordinator {
                let front = StatusFront(address: address, logger: log.logger("skein.status")) {
                    let isReady = await coordinator.status().isReady
                    return StatusReport(
                        waitsFor: isReady ? nil : "the head waits for nodes that hold every stage",
                        version: SoftwareVersion.text)
                }
                try await front.start()
                self.front = front
            } else {
                guard host.nodeNames.count == 1 else {
                    throw Refusal(
                        "--status",
                        "this host has \(host.nodeNames.count) nodes, expected 'status' of each in "
                            + "the cluster file")
                }
                front = nil
            }
        } catch {
            await host.stop()
            throw error
        }
    }

    /// The head answers over HTTP; elsewhere the nodes are started.
    func ready() {
        supervision.status(
            coordinator == nil ? "the nodes are started" : "the head answers and waits for nodes")
        supervision.ready()
    }

    /// What this host's part does just now.
    func status(_ line: String) { supervision.status(line) }

    /// Shows that the coordinator turns, as long as the task runs.
    func showLife() async {
        await supervision.showLife { [coordinator] in _ = await coordinator?.status() }
        while !Task.isCancelled {
            do { try await Task.sleep(for: .seconds(3_600)) } catch { return }
        }
    }

    /// It ends in good order.
    func stopping() { supervision.stopping() }

    /// Closes the status port.
    func close() async { await front?.stop() }
}
