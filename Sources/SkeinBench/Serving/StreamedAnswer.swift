import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import SkeinCore
import Synchronization

/// Receives one answer on the event loop and keeps the time of each of its parts.
///
/// All calls come from one loop, so the lock is never waited for.
final class StreamedAnswer: HTTPClientResponseDelegate {
    /// What came.
    struct Outcome: Sendable {
        var status = 0
        var retryAfter: Duration?
        var reading = AnswerReading()
        /// When the answer had ended.
        var ended: Duration = .zero
        var failure: ServingFailure?
        fileprivate var refusalBody: [UInt8] = []
        fileprivate var isStream = false
    }

    private let start: NIODeadline
    private let outcome = Mutex(Outcome())

    /// - Parameter start: the time from which all others count.
    init(start: NIODeadline) { self.start = start }

    /// What came until now; of use where the answer breaks off.
    var outcomeSoFar: Outcome { outcome.withLock { $0 } }

    func didReceiveHead(
        task: HTTPClient.Task<Outcome>, _ head: HTTPResponseHead
    ) -> EventLoopFuture<Void> {
        outcome.withLock { outcome in
            outcome.status = Int(head.status.code)
            let type = head.headers.first(name: "content-type") ?? ""
            outcome.isStream =
                head.status == .ok && type.lowercased().hasPrefix("text/event-stream")
            outcome.retryAfter = head.headers.first(name: "retry-after").flatMap(Double.init)
                .flatMap { seconds in
                    guard seconds >= 0, seconds.isFinite else { return nil }
                    return .seconds(min(seconds, Double(Limits.retryAfterSecondsMax)))
                }
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(
        task: HTTPClient.Task<Outcome>, _ buffer: ByteBuffer
    ) -> EventLoopFuture<Void> {
        let time = Duration.since(start)
        outcome.withLock { outcome in
            if outcome.isStream {
                outcome.reading.take(buffer.readableBytesView, at: time)
            } else if outcome.refusalBody.count < 4_096 {
                outcome.refusalBody += buffer.readableBytesView.prefix(4_096)
            }
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didFinishRequest(task: HTTPClient.Task<Outcome>) throws -> Outcome {
        let time = Duration.since(start)
        return outcome.withLock { outcome in
            outcome.ended = time
            if outcome.isStream {
                outcome.ended = outcome.reading.end(at: time)
                outcome.failure = outcome.reading.failure
            } else {
                let text = String(decoding: outcome.refusalBody.prefix(300), as: UTF8.self)
                outcome.failure =
                    outcome.status == 200
                    ? ServingFailure(kind: "not_a_stream", detail: "the answer is no event stream")
                    : ServingFailure(kind: "http_\(outcome.status)", detail: text)
            }
            return outcome
        }
    }
}

extension Duration {
    /// The time that has passed since.
    static func since(_ start: NIODeadline) -> Duration {
        .nanoseconds((NIODeadline.now() - start).nanoseconds)
    }
}
