import CZeroMQ
public import SkeinCore
import Synchronization

/// A link to an inbox of another process: a PUSH socket.
///
/// ```
///  send ──► nobody waits and connected? ──yes──► libzmq, at once, on the sender's own thread
///                    │ no
///                    └──► waiting, in order ──► the hub's loop sends, or the bound runs out
/// ```
///
/// The socket belongs to the sender that holds the lock while nobody waits, and to the hub's loop
/// while it is polled (`isPolled`). "Connected" means that the handshake has succeeded, so a
/// message is never given to a peer that has not proven its key.
public final class ZeroMQLink: Link {
    private struct Waiting {
        let ticket: UInt64
        let frames: [Frame]
        let deadline: ContinuousClock.Instant
        let sender: CheckedContinuation<LinkError?, Never>

        var byteCount: Int { frames.reduce(0) { $0 + $1.byteCount } }
    }

    private struct State {
        var isConnected = false
        var isPolled = false
        var isClosing = false
        /// The last trouble of the connection, for the error line.
        var trouble: String?
        /// Attempts to connect that may still be reported: those just after a break.
        var reportedAttempts = 0
        /// When to connect again: libzmq gives up on a peer that refuses us, but keys may change.
        var reconnectTime: ContinuousClock.Instant?
        var waiting: [Waiting] = []
        var nextTicket: UInt64 = 0
    }

    /// Failed attempts after a break that others are told of; those who decide whether the peer is
    /// gone ask for two.
    private static let reportedAttemptsMax = 3

    /// The peer's address.
    public let address: String

    let socket: ZeroMQSocket
    let monitor: ZeroMQSocket
    private let settings: ZeroMQHub.Settings
    private let counter: TrafficCounter
    private let allowance: LinkAllowance
    private let wake: WakePipe
    private let finished = Latch()
    private let state = Mutex(State())

    init(
        address: String, socket: ZeroMQSocket, monitor: ZeroMQSocket,
        settings: ZeroMQHub.Settings, counter: TrafficCounter, wake: WakePipe
    ) {
        self.address = address
        self.socket = socket
        self.monitor = monitor
        self.settings = settings
        self.counter = counter
        self.wake = wake
        allowance = LinkAllowance(bytesMax: settings.linkBytesMax, wake: wake)
    }

    /// Hands one message to the link, waiting at most `Settings.sendTimeout` for it to be taken.
    public func send(_ frames: [Frame]) async throws(LinkError) {
        precondition(!frames.isEmpty, "a message has at least an envelope")
        try checkSizes(frames)
        let (outcome, ticket) = state.withLock { state in
            state.nextTicket += 1
            let isFree = state.waiting.isEmpty && !state.isPolled && state.isConnected
            if state.isClosing { return (PushOutcome.ended, state.nextTicket) }
            return (isFree ? push(frames) : .full, state.nextTicket)
        }
        if let error = error(for: outcome) { throw error }
        if outcome == .taken { return }
        let failure = await withTaskCancellationHandler {
            await withCheckedContinuation { sender in
                enqueue(
                    Waiting(
                        ticket: ticket, frames: frames, deadline: .now + settings.sendTimeout,
                        sender: sender))
                if Task.isCancelled { cancel(ticket) }
            }
        } onCancel: {
            cancel(ticket)
        }
        if let failure { throw failure }
    }

    /// Closes the link; messages already taken have `Settings.linger` to leave.
    public func close() async {
        state.withLock { $0.isClosing = true }
        wake.signal()
        await finished.wait()
    }

    // MARK: Doors for the loop, called on its thread only

    /// What the loop must wait for on behalf of this link.
    struct Interest {
        var pollsSocket: Bool
        var deadline: ContinuousClock.Instant?
    }

    /// Sends what can be sent and fails what has waited too long; `nil` once the link is closing.
    func advance(now: ContinuousClock.Instant) -> Interest? {
        var settled: [(Waiting, LinkError?)] = []
        let interest = state.withLock { state -> Interest? in
            state.isPolled = false
            if state.isClosing { return nil }
            reconnect(&state, now: now)
            while let first = state.waiting.first {
                var failure: LinkError?
                if first.deadline <= now {
                    failure = timeoutError(trouble: state.trouble)
                } else {
                    let outcome = state.isConnected ? push(first.frames) : .full
                    if outcome == .full { break }
                    failure = error(for: outcome)
                }
                state.waiting.removeFirst()
                settled.append((first, failure))
            }
            guard let first = state.waiting.first else {
                return Interest(pollsSocket: false, deadline: state.reconnectTime)
            }
            // Without room the loop is woken by libzmq's release of a frame, not by the socket.
            state.isPolled = state.isConnected && allowance.awaitRoom(for: first.byteCount)
            return Interest(
                pollsSocket: state.isPolled,
                deadline: min(first.deadline, state.reconnectTime ?? first.deadline))
        }
        for (entry, failure) in settled { entry.sender.resume(returning: failure) }
        return interest
    }

    /// Takes note of what the socket's monitor reports; returns what others should know.
    func takeNote(of report: MonitorReport) -> LinkEvent? {
        state.withLock { state in
            switch report {
            case .connected:
                state.isConnected = true
                state.trouble = nil
                state.reconnectTime = nil
                state.reportedAttempts = 0
                return LinkEvent(address: address, kind: .connected)
            case .disconnected:
                defer { state.isConnected = false }
                if !state.isConnected { return nil }
                state.trouble = "the connection was lost"
                state.reportedAttempts = Self.reportedAttemptsMax
                return LinkEvent(address: address, kind: .disconnected)
            case .handshakeFailed(let reason):
                let isNews = state.trouble != reason
                state.trouble = reason
                state.reconnectTime = .now + ZeroMQHub.reconnectDelay
                return isNews
                    ? LinkEvent(address: address, kind: .handshakeFailed(reason: reason)) : nil
            case .notReached, .retried:
                if state.trouble == nil { state.trouble = "nobody listens there" }
                guard report == .notReached, state.reportedAttempts > 0 else { return nil }
                state.reportedAttempts -= 1
                return LinkEvent(address: address, kind: .notReached)
            case .other: return nil
            }
        }
    }

    /// Closes both sockets and lets everybody who waits go.
    func finish() {
        let waiting = state.withLock { state in
            state.isClosing = true
            let waiting = state.waiting
            state.waiting = []
            zmq_socket_monitor(socket.raw, nil, 0)
            monitor.close()
            socket.close()
            return waiting
        }
        for entry in waiting { entry.sender.resume(returning: error(for: .ended)) }
        finished.open()
    }

    // MARK: Rooms

    private enum PushOutcome {
        case taken
        case full
        case broken
        case ended
    }

    /// Gives a message to libzmq, with the lock held.
    private func push(_ frames: [Frame]) -> PushOutcome {
        guard allowance.hasRoom(for: frames.reduce(0) { $0 + $1.byteCount }) else { return .full }
        var isBroken = false
        for (place, frame) in frames.enumerated() {
            let hasMore = place + 1 < frames.count
            switch socket.send(frame, hasMore: hasMore, charging: allowance) {
            case .taken: continue
            case .ended: return .ended
            case .wouldBlock where place == 0: return .full
            // The connection ended between two frames. libzmq now swallows the rest of the message,
            // which we must give it, or the next message would be taken for that rest.
            case .wouldBlock: isBroken = true
            }
        }
        guard !isBroken else { return .broken }
        counter.onSent(frames)
        return .taken
    }

    private func reconnect(_ state: inout State, now: ContinuousClock.Instant) {
        guard let time = state.reconnectTime, time <= now else { return }
        state.reconnectTime = nil
        zmq_disconnect(socket.raw, address)
        zmq_connect(socket.raw, address)
    }

    private func enqueue(_ entry: Waiting) {
        let isClosing = state.withLock { state in
            if !state.isClosing { state.waiting.append(entry) }
            return state.isClosing
        }
        if isClosing { entry.sender.resume(returning: error(for: .ended)) } else { wake.signal() }
    }

    private func cancel(_ ticket: UInt64) {
        let entry = state.withLock { state -> Waiting? in
            guard let place = state.waiting.firstIndex(where: { $0.ticket == ticket }) else {
                return nil
            }
            return state.waiting.remove(at: place)
        }
        entry?.sender.resume(
            returning: LinkError(
                reason: .cancelled, address: address, detail: "the sender was cancelled"))
    }

    private func checkSizes(_ frames: [Frame]) throws(LinkError) {
        guard frames.count <= Limits.framesMax else {
            throw LinkError(
                reason: .tooLong, address: address,
                detail: "\(frames.count) frames, at most \(Limits.framesMax) expected")
        }
        for frame in frames where frame.byteCount > settings.frameBytesMax {
            throw LinkError(
                reason: .tooLong, address: address,
                detail: "a frame of \(frame.byteCount) bytes, at most \(settings.frameBytesMax) "
                    + "expected")
        }
    }

    private func error(for outcome: PushOutcome) -> LinkError? {
        switch outcome {
        case .taken, .full: nil
        case .broken:
            LinkError(
                reason: .broken, address: address,
                detail: "the connection was lost in the middle of a message")
        case .ended: LinkError(reason: .closed, address: address, detail: "the link is closed")
        }
    }

    private func timeoutError(trouble: String?) -> LinkError {
        LinkError(
            reason: .timedOut, address: address,
            detail: "not taken within \(settings.sendTimeout): "
                + (trouble ?? "the peer is connected but does not read, or is not there"))
    }
}
