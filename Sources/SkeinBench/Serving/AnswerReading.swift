import SkeinCore

/// Reads one streamed answer and keeps the time of everything in it: bytes in, a record out.
struct AnswerReading {
    /// The times of events that carried text or token ids.
    private(set) var emissions: [Duration] = []
    private(set) var usage: CompletionEvent.Usage?
    /// Token ids that came, where the server sends any.
    private(set) var tokenIDCount: Int?
    /// The first thing that went wrong.
    private(set) var failure: ServingFailure?

    private var parser = EventStreamParser()
    private var lastChoice: Duration?
    private var isFinished = false
    private var hasChoice = false
    private var hasEndMark = false

    /// Takes bytes that came at a time.
    mutating func take(_ bytes: some Sequence<UInt8>, at time: Duration) {
        guard failure == nil else { return }
        do throws(Refusal) {
            for event in try parser.push(bytes) { try take(event, at: time) }
        } catch {
            failure = ServingFailure(kind: "malformed_event", detail: error.description)
        }
    }

    /// Takes the end of the stream, and says when the answer had ended.
    mutating func end(at time: Duration) -> Duration {
        if failure == nil, let event = parser.finish() {
            do throws(Refusal) {
                try take(event, at: time)
            } catch {
                failure = ServingFailure(kind: "cut_off", detail: "the stream ends in an event")
            }
        }
        // A finish reason or the mark tells a whole answer from one that was cut off.
        if failure == nil, !isFinished, !hasEndMark {
            failure = ServingFailure(
                kind: "cut_off", detail: "the stream ends without finish_reason and [DONE]")
        }
        if failure == nil, !hasChoice {
            failure = ServingFailure(
                kind: "empty_answer", detail: "the stream ends without a choice")
        }
        return lastChoice ?? time
    }

    private mutating func take(
        _ event: EventStreamParser.Event, at time: Duration
    ) throws(Refusal) {
        let event = try CompletionEvent(event)
        if event.carriesTokens { emissions.append(time) }
        if event.carriesTokens || event.isFinish { lastChoice = time }
        if event.hasChoice { hasChoice = true }
        if let count = event.tokenIDCount { tokenIDCount = (tokenIDCount ?? 0) + count }
        if event.isFinish { isFinished = true }
        if event.isEndMark { hasEndMark = true }
        usage = event.usage ?? usage
        if let message = event.failure {
            failure = ServingFailure(kind: "error_event", detail: message)
        }
    }
}
