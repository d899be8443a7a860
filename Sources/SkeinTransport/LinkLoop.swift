import CZeroMQ
import SkeinCore
import Synchronization

/// The hub's thread: answers who may connect, hears how links fare, and sends what has to wait.
///
/// It alone touches the authentication socket and the monitors, it alone closes sockets of links,
/// and it ends the whole foundation when the hub closes, so no Swift task ever blocks on libzmq.
final class LinkLoop: Sendable {
    private struct State {
        var arrived: [ZeroMQLink] = []
        var isStopping = false
    }

    let wake = WakePipe()
    private let foundation: ZeroMQFoundation
    private let gate: KeyGate
    private let events: AsyncStream<LinkEvent>.Continuation
    private let finished = Latch()
    private let state = Mutex(State())

    /// Takes over the foundation and the authentication socket, and starts the thread.
    init(
        foundation: ZeroMQFoundation, gate: KeyGate, events: AsyncStream<LinkEvent>.Continuation
    ) {
        self.foundation = foundation
        self.gate = gate
        self.events = events
        SocketThread.start { [self] in run() }
    }

    /// Takes over a link; `false` once the loop is stopping.
    func adopt(_ link: ZeroMQLink) -> Bool {
        let isAdopted = state.withLock { state in
            if !state.isStopping { state.arrived.append(link) }
            return !state.isStopping
        }
        if isAdopted { wake.signal() }
        return isAdopted
    }

    /// Closes all links and the foundation; all inboxes must be closed before.
    func stop() async {
        state.withLock { $0.isStopping = true }
        wake.signal()
        await finished.wait()
    }

    // MARK: The thread

    private func run() {
        var links: [ZeroMQLink] = []
        while true {
            wake.drain()
            let isStopping = state.withLock { state in
                links += state.arrived
                state.arrived = []
                return state.isStopping
            }
            if isStopping { break }
            links = turn(links)
        }
        for link in links { link.finish() }
        gate.close()
        foundation.end()
        events.finish()
        finished.open()
    }

    /// One wait and what follows from it; returns the links that go on.
    private func turn(_ links: [ZeroMQLink]) -> [ZeroMQLink] {
        var staying: [ZeroMQLink] = []
        var items = [
            zmq_pollitem_t(socket: nil, fd: wake.readEnd, events: Int16(ZMQ_POLLIN), revents: 0),
            zmq_pollitem_t(
                socket: gate.socket.raw, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0),
        ]
        var senders: [zmq_pollitem_t] = []
        var earliest: ContinuousClock.Instant?
        for link in links {
            guard let interest = link.advance(now: .now) else {
                link.finish()
                continue
            }
            staying.append(link)
            items.append(
                zmq_pollitem_t(
                    socket: link.monitor.raw, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0))
            if interest.pollsSocket {
                senders.append(
                    zmq_pollitem_t(
                        socket: link.socket.raw, fd: 0, events: Int16(ZMQ_POLLOUT), revents: 0))
            }
            if let deadline = interest.deadline { earliest = min(deadline, earliest ?? deadline) }
        }
        items += senders
        _ = zmq_poll(&items, Int32(items.count), Self.milliseconds(until: earliest))
        if items[1].revents != 0 { gate.answerAll(events) }
        for (place, link) in staying.enumerated() where items[place + 2].revents != 0 {
            hear(link)
        }
        return staying
    }

    private func hear(_ link: ZeroMQLink) {
        while let parts = link.monitor.receive(framesMax: 2, bytesMax: 4_096) {
            guard let report = parts.frames.first else { continue }
            if let event = link.takeNote(of: MonitorReport(parsing: report.bytes)) {
                events.yield(event)
            }
        }
    }

    private static func milliseconds(until deadline: ContinuousClock.Instant?) -> Int {
        guard let deadline else { return -1 }
        let rest = ContinuousClock.now.duration(to: deadline).components
        let milliseconds = rest.seconds * 1_000 + rest.attoseconds / 1_000_000_000_000_000
        return Int(max(0, milliseconds + 1))
    }
}
