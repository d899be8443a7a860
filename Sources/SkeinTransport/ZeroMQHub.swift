import CZeroMQ
public import SkeinCore
import Synchronization

/// All ZeroMQ sockets of one process: opens inboxes and links, and decides who may connect.
///
/// With keys, every inbox asks for a key on the allow-list and every link proves ours; without,
/// only loopback addresses are accepted. Close the hub at the end: it closes what it has opened.
public final class ZeroMQHub: Sendable {
    /// Bounds that tests and slow networks change.
    public struct Settings: Sendable {
        /// How long `send` waits for the link to take a message.
        public var sendTimeout: Duration = .seconds(5)
        /// How long messages already taken may still leave when a link closes.
        public var linger: Duration = .milliseconds(500)
        /// Bytes of one frame; a peer that announces more is disconnected.
        public var frameBytesMax = Limits.frameBytesMax
        /// Bytes of all frames of a message; a larger one is dropped.
        public var messageBytesMax = 2 * Limits.frameBytesMax
        /// Messages and bytes that wait in one link.
        public var linkMessagesMax = Limits.linkMessagesMax
        /// Bytes that wait in one link; a single larger message goes alone.
        public var linkBytesMax = Limits.linkBytesMax
        /// Messages that wait in one inbox.
        public var inboxMessagesMax = Limits.linkMessagesMax
        /// Bytes that wait in one inbox.
        public var inboxBytesMax = Limits.inboxBytesMax

        /// The bounds of `Limits`.
        public init() {}
    }

    /// How long a link waits before it tries a peer again that refuses us.
    static let reconnectDelay: Duration = .seconds(2)

    /// How long a link waits at most before it tries a peer again that is not there: a head that is
    /// started again is found by its nodes within this time.
    static let absenceDelayMax: Duration = .milliseconds(500)

    private struct State {
        var inboxes: [ZeroMQInbox] = []
        var monitorCount = 0
        var isClosed = false
    }

    /// What becomes of connections; one reader, who may lag without holding anybody up.
    public let events: AsyncStream<LinkEvent>

    /// The node's own public key; `nil` without keys.
    public var publicKey: String? { keys?.publicKey }

    /// What links and inboxes have carried so far.
    public var traffic: LinkTraffic { counter.traffic }

    private let keys: CurveKeyPair?
    private let counter = TrafficCounter()
    private let settings: Settings
    private let foundation: ZeroMQFoundation
    private let gate: KeyGate
    private let loop: LinkLoop
    private let eventsContinuation: AsyncStream<LinkEvent>.Continuation
    private let state = Mutex(State())

    /// Opens a hub.
    ///
    /// - Parameters:
    ///   - keys: this node's identity; without it only loopback is possible.
    ///   - allowing: public keys of the peers that may connect to this node's inboxes.
    public init(
        keys: CurveKeyPair? = nil, allowing: Set<String> = [], settings: Settings = Settings()
    ) throws(Refusal) {
        try Self.check(allowing)
        self.keys = keys
        self.settings = settings
        (events, eventsContinuation) = AsyncStream.makeStream(
            bufferingPolicy: .bufferingNewest(Limits.linkEventsMax))
        foundation = try ZeroMQFoundation()
        do throws(Refusal) {
            gate = try KeyGate(in: foundation, allowing: allowing)
        } catch {
            foundation.end()
            throw error
        }
        loop = LinkLoop(foundation: foundation, gate: gate, events: eventsContinuation)
    }

    /// Replaces the allow-list; connections that stand are not cut.
    public func allow(_ keys: Set<String>) throws(Refusal) {
        try Self.check(keys)
        gate.allow(keys)
    }

    /// Opens an inbox; port `*` takes any free port, which `ZeroMQInbox.address` then names.
    public func bind(_ address: TCPAddress) throws(Refusal) -> ZeroMQInbox {
        let subject = "inbox \(address)"
        guard keys != nil || address.isLoopback else {
            throw Refusal(
                subject, "is not loopback and needs CURVE keys; make them with 'skein keys init'")
        }
        let endpoint = try LocalAddresses.numeric(address, subject: subject)
        let socket = try open(ZMQ_PULL, for: endpoint, lingering: .zero)
        socket.set(ZMQ_RCVHWM, Int32(Limits.socketMessagesMax))
        if let keys {
            socket.set(ZMQ_CURVE_SERVER, Int32(1))
            socket.set(ZMQ_CURVE_SECRETKEY, keys.secretKey)
            socket.set(ZMQ_ZAP_DOMAIN, "skein")
        }
        guard zmq_bind(socket.raw, endpoint.description) == 0 else {
            let reason = ZeroMQFoundation.lastError
            socket.close()
            throw Refusal(subject, "cannot listen: \(reason)")
        }
        let bound = try TCPAddress(parsing: socket.lastEndpoint).port ?? 0
        let inbox = ZeroMQInbox(
            address: address.with(port: bound).description, socket: socket, settings: settings,
            counter: counter, events: eventsContinuation)
        state.withLock { $0.inboxes.append(inbox) }
        return inbox
    }

    /// Opens a link; it connects in the background and tries again whenever it breaks.
    ///
    /// - Parameter serverKey: the public key that the peer must prove; needed but on loopback.
    public func connect(to address: TCPAddress, serverKey: String?) throws(Refusal) -> ZeroMQLink {
        let subject = "link to \(address)"
        guard address.port != nil, address.host != .all else {
            throw Refusal(subject, "a link needs one host and one port")
        }
        if let serverKey {
            try CurveKeyPair.check(serverKey, subject: "\(subject): public key")
            guard keys != nil else {
                throw Refusal(subject, "the peer has a key but this node has none")
            }
        } else if !address.isLoopback {
            throw Refusal(subject, "is not loopback and needs the CURVE key of the peer")
        }
        let socket = try open(ZMQ_PUSH, for: address, lingering: settings.linger)
        // Frames wait in the link, where they are counted, not for a connection that may never be.
        socket.set(ZMQ_IMMEDIATE, Int32(1))
        socket.set(ZMQ_SNDHWM, Int32(clamping: settings.linkMessagesMax))
        socket.set(ZMQ_RECONNECT_IVL_MAX, Int32(Self.absenceDelayMax / .milliseconds(1)))
        if let serverKey, let keys {
            socket.set(ZMQ_CURVE_SERVERKEY, serverKey)
            socket.set(ZMQ_CURVE_PUBLICKEY, keys.publicKey)
            socket.set(ZMQ_CURVE_SECRETKEY, keys.secretKey)
        }
        let monitor: ZeroMQSocket
        do throws(Refusal) {
            monitor = try self.monitor(of: socket)
        } catch {
            socket.close()
            throw error
        }
        let link = ZeroMQLink(
            address: address.description, socket: socket, monitor: monitor, settings: settings,
            counter: counter, wake: loop.wake)
        guard zmq_connect(socket.raw, address.description) == 0 else {
            let reason = ZeroMQFoundation.lastError
            link.finish()
            throw Refusal(subject, "cannot connect: \(reason)")
        }
        guard loop.adopt(link) else {
            link.finish()
            throw Refusal(subject, "this node is closing")
        }
        return link
    }

    /// Closes all inboxes and links; ends within the linger bound.
    public func close() async {
        let inboxes = state.withLock { state in
            state.isClosed = true
            return state.inboxes
        }
        for inbox in inboxes { await inbox.close() }
        await loop.stop()
    }

    // MARK: Rooms

    private static func check(_ keys: Set<String>) throws(Refusal) {
        for key in keys {
            try CurveKeyPair.check(key, subject: "allow-list: '\(key)'")
        }
    }

    /// Opens a socket with what inboxes and links share.
    private func open(
        _ type: Int32, for address: TCPAddress, lingering: Duration
    ) throws(Refusal) -> ZeroMQSocket {
        guard !state.withLock({ $0.isClosed }) else {
            throw Refusal("\(address)", "this node is closing")
        }
        let socket = try ZeroMQSocket(
            type, in: foundation,
            lingerMilliseconds: Int32(clamping: Int64(lingering / .milliseconds(1))))
        socket.set(ZMQ_MAXMSGSIZE, Int64(settings.frameBytesMax))
        socket.set(ZMQ_IPV6, LocalAddresses.needsIPv6(address) ? Int32(1) : Int32(0))
        // Probes find a host that lost its power; ZeroMQ's own heartbeats would not do: a full
        // inbox leaves them unread, and a slow peer would be cut as a dead one.
        socket.set(ZMQ_TCP_KEEPALIVE, Int32(1))
        socket.set(ZMQ_TCP_KEEPALIVE_IDLE, Int32(10))
        socket.set(ZMQ_TCP_KEEPALIVE_INTVL, Int32(5))
        socket.set(ZMQ_TCP_KEEPALIVE_CNT, Int32(3))
        socket.set(ZMQ_HANDSHAKE_IVL, Int32(10_000))
        return socket
    }

    private func monitor(of socket: ZeroMQSocket) throws(Refusal) -> ZeroMQSocket {
        let number = state.withLock { state in
            state.monitorCount += 1
            return state.monitorCount
        }
        let endpoint = "inproc://monitor-\(number)"
        guard zmq_socket_monitor(socket.raw, endpoint, MonitorReport.wantedEvents) == 0 else {
            throw Refusal("monitor", ZeroMQFoundation.lastError)
        }
        let monitor = try ZeroMQSocket(ZMQ_PAIR, in: foundation)
        guard zmq_connect(monitor.raw, endpoint) == 0 else {
            let reason = ZeroMQFoundation.lastError
            monitor.close()
            throw Refusal("monitor", reason)
        }
        return monitor
    }
}
