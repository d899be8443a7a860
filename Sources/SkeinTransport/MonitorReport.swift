import CZeroMQ

/// What libzmq reports about one connection of a link.
enum MonitorReport: Equatable, Sendable {
    case connected
    case disconnected
    case handshakeFailed(reason: String)
    /// An attempt to connect has failed.
    case notReached
    /// Another attempt will be made.
    case retried
    case other

    /// The events that a monitor is asked for.
    static let wantedEvents =
        ZMQ_EVENT_CLOSED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED
        | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
        | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH

    /// Reads an event frame: 16 bits of event and 32 bits of value, in the machine's byte order.
    init(parsing bytes: [UInt8]) {
        guard bytes.count >= 6 else {
            self = .other
            return
        }
        let event = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt16.self) }
        let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 2, as: UInt32.self) }
        switch Int32(event) {
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: self = .connected
        case ZMQ_EVENT_DISCONNECTED: self = .disconnected
        case ZMQ_EVENT_CLOSED: self = .notReached
        case ZMQ_EVENT_CONNECT_RETRIED: self = .retried
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            self = .handshakeFailed(
                reason: "the peer refused our key (status \(value)): it is not on its allow-list")
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
            self = .handshakeFailed(
                reason: "the peer broke the handshake (error 0x\(String(value, radix: 16))): one "
                    + "side uses keys and the other none, or it is no Skein node")
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            self = .handshakeFailed(
                reason: "the peer ended the handshake: it has another key than we expect, or it "
                    + "is no Skein node")
        default: self = .other
        }
    }
}
