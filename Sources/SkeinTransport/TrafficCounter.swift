import SkeinCore
import Synchronization

/// Adds up what all links and inboxes of a hub carry.
final class TrafficCounter: Sendable {
    private let counts = Mutex(LinkTraffic())

    /// What was counted so far.
    var traffic: LinkTraffic { counts.withLock { $0 } }

    /// A link has taken a message.
    func onSent(_ frames: [Frame]) {
        let byteCount = Self.byteCount(frames)
        counts.withLock { counts in
            counts.sentFrameCount += UInt64(frames.count)
            counts.sentByteCount += byteCount
        }
    }

    /// An inbox has taken a message.
    func onReceived(_ frames: [Frame]) {
        let byteCount = Self.byteCount(frames)
        counts.withLock { counts in
            counts.receivedFrameCount += UInt64(frames.count)
            counts.receivedByteCount += byteCount
        }
    }

    private static func byteCount(_ frames: [Frame]) -> UInt64 {
        frames.reduce(0) { $0 + UInt64($1.byteCount) }
    }
}
