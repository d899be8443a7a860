import CZeroMQ
import SkeinCore
import Synchronization

/// Decides which keys may connect to this node's inboxes: libzmq asks it over ZAP (RFC 27).
///
/// The socket belongs to the hub's loop; the allow-list may be replaced from anywhere. With an
/// empty list nobody may connect.
final class KeyGate: Sendable {
    let socket: ZeroMQSocket
    private let allowed: Mutex<Set<String>>

    /// Opens the gate.
    ///
    /// It must exist before the first inbox, since libzmq lets everybody in while there is none.
    init(in foundation: ZeroMQFoundation, allowing keys: Set<String>) throws(Refusal) {
        socket = try ZeroMQSocket(ZMQ_REP, in: foundation)
        allowed = Mutex(keys)
        guard zmq_bind(socket.raw, "inproc://zeromq.zap.01") == 0 else {
            socket.close()
            throw Refusal("authentication", ZeroMQFoundation.lastError)
        }
    }

    func allow(_ keys: Set<String>) { allowed.withLock { $0 = keys } }

    func close() { socket.close() }

    /// Answers every question that is waiting, on the loop's thread.
    func answerAll(_ events: AsyncStream<LinkEvent>.Continuation) {
        while let question = socket.receive(framesMax: 16, bytesMax: 8_192) {
            let frames = question.frames.map(\.bytes)
            let key = Self.key(in: frames)
            let isAllowed = key.map { key in allowed.withLock { $0.contains(key) } } ?? false
            if !isAllowed, frames.count >= 4 {
                let address = String(decoding: frames[3], as: UTF8.self)
                let kind = LinkEvent.Kind.peerRefused(key: key ?? "none")
                events.yield(LinkEvent(address: address, kind: kind))
            }
            socket.sendAll([
                Array("1.0".utf8), frames.count > 1 ? frames[1] : [],
                Array((isAllowed ? "200" : "400").utf8),
                Array((isAllowed ? "OK" : "not on the allow-list").utf8),
                // This becomes the property "User-Id" of every message of the connection.
                isAllowed ? Array((key ?? "").utf8) : [], [],
            ])
        }
    }

    /// The key in a question: version, request, domain, address, identity, mechanism, credentials.
    private static func key(in frames: [[UInt8]]) -> String? {
        guard frames.count == 7, frames[0] == Array("1.0".utf8),
            frames[5] == Array("CURVE".utf8), frames[6].count == 32
        else { return nil }
        var text = [CChar](repeating: 0, count: 41)
        guard zmq_z85_encode(&text, frames[6], 32) != nil else { return nil }
        return String(decoding: text.prefix(40).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
