import CZeroMQ
import SkeinCore
import Synchronization

/// A libzmq socket, without a lock of its own.
///
/// `@unchecked Sendable` is safe because a socket may move between threads with a full fence
/// (libzmq's rule), and each owner gives that fence: a link touches its socket under its mutex, the
/// loops touch theirs on one thread.
struct ZeroMQSocket: @unchecked Sendable {
    let raw: UnsafeMutableRawPointer

    /// Opens a socket that gives up unsent messages after `lingerMilliseconds`.
    init(_ type: Int32, in foundation: ZeroMQFoundation, lingerMilliseconds: Int32 = 0)
        throws(Refusal)
    {
        guard let raw = zmq_socket(foundation.raw, type) else {
            throw Refusal("socket", ZeroMQFoundation.lastError)
        }
        self.raw = raw
        set(ZMQ_LINGER, lingerMilliseconds)
    }

    func close() { zmq_close(raw) }

    // A refused option would be our own bug: all values are constants or checked limits.
    func set(_ option: Int32, _ value: Int32) {
        var value = value
        let outcome = zmq_setsockopt(raw, option, &value, MemoryLayout<Int32>.size)
        precondition(outcome == 0, "socket option \(option): \(ZeroMQFoundation.lastError)")
    }

    func set(_ option: Int32, _ value: Int64) {
        var value = value
        let outcome = zmq_setsockopt(raw, option, &value, MemoryLayout<Int64>.size)
        precondition(outcome == 0, "socket option \(option): \(ZeroMQFoundation.lastError)")
    }

    func set(_ option: Int32, _ text: String) {
        let outcome = zmq_setsockopt(raw, option, text, text.utf8.count)
        precondition(outcome == 0, "socket option \(option): \(ZeroMQFoundation.lastError)")
    }

    /// The endpoint of the last bind, with the port that was chosen.
    var lastEndpoint: String {
        var bytes = [UInt8](repeating: 0, count: 1_024)
        var count = bytes.count
        guard zmq_getsockopt(raw, ZMQ_LAST_ENDPOINT, &bytes, &count) == 0 else { return "" }
        return String(decoding: bytes.prefix(max(0, count - 1)), as: UTF8.self)
    }

    // MARK: Sending

    enum SendOutcome {
        case taken
        case wouldBlock
        case ended
    }

    /// Gives one frame to libzmq without copying it; it is released when its bytes have left.
    func send(_ frame: Frame, hasMore: Bool, charging allowance: LinkAllowance) -> SendOutcome {
        var message = zmq_msg_t()
        if frame.bytes.isEmpty {
            zmq_msg_init(&message)
        } else {
            let held = HeldFrame(frame, charging: allowance)
            // The storage of a Swift array neither moves nor changes while someone holds the array:
            // `held` does until libzmq calls back, and its `frame` is a constant.
            let start = held.frame.bytes.withUnsafeBytes { $0.baseAddress }
            zmq_msg_init_data(
                &message, UnsafeMutableRawPointer(mutating: start), frame.byteCount,
                { _, hint in
                    guard let hint else { return }
                    Unmanaged<HeldFrame>.fromOpaque(hint).takeRetainedValue().release()
                }, Unmanaged.passRetained(held).toOpaque())
        }
        let flags = ZMQ_DONTWAIT | (hasMore ? ZMQ_SNDMORE : 0)
        while zmq_msg_send(&message, raw, flags) < 0 {
            let error = zmq_errno()
            if error == EINTR { continue }
            zmq_msg_close(&message)
            return error == EAGAIN ? .wouldBlock : .ended
        }
        return .taken
    }

    /// Sends short text frames, for the in-process conversation with libzmq's authentication.
    func sendAll(_ parts: [[UInt8]]) {
        for (place, part) in parts.enumerated() {
            let flags = place + 1 < parts.count ? ZMQ_SNDMORE : 0
            while zmq_send(raw, part, part.count, flags) < 0 && zmq_errno() == EINTR {}
        }
    }

    // MARK: Receiving

    /// One received message, before anything is known about it.
    struct Parts {
        var frames: [Frame] = []
        var peerKey: String?
        var peer = ""
        /// Why the message is to be dropped.
        var trouble: String?
    }

    /// Takes one whole message if one is there; a message over a limit is drained, not stored.
    func receive(framesMax: Int, bytesMax: Int) -> Parts? {
        var parts = Parts()
        var byteCount = 0
        var isFirst = true
        while true {
            var message = zmq_msg_t()
            zmq_msg_init(&message)
            defer { zmq_msg_close(&message) }
            // The parts of a message arrive together, so only the first can be missing.
            while zmq_msg_recv(&message, raw, ZMQ_DONTWAIT) < 0 {
                if zmq_errno() != EINTR { return nil }
            }
            if isFirst {
                parts.peerKey = Self.property("User-Id", of: &message)
                parts.peer = Self.property("Peer-Address", of: &message) ?? "unknown"
                isFirst = false
            }
            let count = zmq_msg_size(&message)
            byteCount += count
            if parts.frames.count >= framesMax {
                parts.trouble = "more than \(framesMax) frames"
            } else if byteCount > bytesMax {
                parts.trouble = "more than \(bytesMax) bytes"
            }
            if parts.trouble == nil {
                parts.frames.append(Frame(Self.copy(&message, count)))
            } else {
                parts.frames = []
            }
            if zmq_msg_more(&message) == 0 { return parts }
        }
    }

    private static func copy(_ message: inout zmq_msg_t, _ count: Int) -> [UInt8] {
        guard count > 0, let start = zmq_msg_data(&message) else { return [] }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            UnsafeMutableRawBufferPointer(buffer).copyMemory(
                from: UnsafeRawBufferPointer(start: start, count: count))
            initializedCount = count
        }
    }

    private static func property(_ name: String, of message: inout zmq_msg_t) -> String? {
        guard let text = zmq_msg_gets(&message, name) else { return nil }
        let value = String(cString: text)
        return value.isEmpty ? nil : value
    }
}

/// What all sockets of a hub stand on: a libzmq "context", its I/O thread included.
///
/// `@unchecked Sendable` is safe because libzmq documents it as safe for all threads.
struct ZeroMQFoundation: @unchecked Sendable {
    let raw: UnsafeMutableRawPointer

    init() throws(Refusal) {
        guard let raw = zmq_ctx_new() else { throw Refusal("libzmq", Self.lastError) }
        self.raw = raw
    }

    /// Waits until all closed sockets have sent or given up their messages, then frees everything.
    func end() {
        while zmq_ctx_term(raw) != 0 && zmq_errno() == EINTR {}
    }

    static var lastError: String { String(cString: zmq_strerror(zmq_errno())) }
}

/// Counts the bytes that a link has given to libzmq and that have not left yet.
final class LinkAllowance: Sendable {
    private let bytesMax: Int
    private let wake: WakePipe
    private let underwayBytes = Atomic<Int>(0)
    private let isAwaited = Atomic<Bool>(false)

    init(bytesMax: Int, wake: WakePipe) {
        self.bytesMax = bytesMax
        self.wake = wake
    }

    /// Whether a message may go now; one of any size goes alone.
    func hasRoom(for byteCount: Int) -> Bool {
        let underway = underwayBytes.load(ordering: .acquiring)
        return underway == 0 || underway + byteCount <= bytesMax
    }

    /// The same, and when there is no room the loop is woken as soon as some appears.
    func awaitRoom(for byteCount: Int) -> Bool {
        if hasRoom(for: byteCount) { return true }
        isAwaited.store(true, ordering: .sequentiallyConsistent)
        return hasRoom(for: byteCount)
    }

    func charge(_ byteCount: Int) {
        underwayBytes.add(byteCount, ordering: .acquiringAndReleasing)
    }

    func release(_ byteCount: Int) {
        underwayBytes.subtract(byteCount, ordering: .sequentiallyConsistent)
        if isAwaited.exchange(false, ordering: .sequentiallyConsistent) { wake.signal() }
    }
}

/// Keeps a frame alive while libzmq sends from its storage.
final class HeldFrame: Sendable {
    let frame: Frame
    private let allowance: LinkAllowance

    init(_ frame: Frame, charging allowance: LinkAllowance) {
        self.frame = frame
        self.allowance = allowance
        allowance.charge(frame.byteCount)
    }

    func release() { allowance.release(frame.byteCount) }
}
