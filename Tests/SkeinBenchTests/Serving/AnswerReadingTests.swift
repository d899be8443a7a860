import SkeinCore
import Testing

@testable import SkeinBench

@Suite struct AnswerReadingTests {
    private static func chat(_ delta: String, _ finish: String = "null") -> String {
        "data: {\"choices\": [{\"index\": 0, \"delta\": \(delta), "
            + "\"finish_reason\": \(finish)}]}\n\n"
    }

    private static func read(_ events: [String]) -> (reading: AnswerReading, ended: Duration) {
        var reading = AnswerReading()
        for (index, event) in events.enumerated() {
            reading.take(event.utf8, at: .milliseconds(10 * (index + 1)))
        }
        let ended = reading.end(at: .milliseconds(10 * (events.count + 1)))
        return (reading, ended)
    }

    @Test func onlyEventsWithTextAreTokens() {
        let (reading, ended) = Self.read([
            Self.chat(#"{"role": "assistant", "content": ""}"#),
            Self.chat(#"{"reasoning_content": "a"}"#), Self.chat(#"{"content": "b"}"#),
            Self.chat(#"{"tool_calls": [{"index": 0}]}"#), ": ping\n\n",
            Self.chat(#"{"content": null}"#), Self.chat("{}", "\"stop\""),
            """
            data: {"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 5, \
            "prompt_tokens_details": {"cached_tokens": 3}}}\n\n
            """,
            "data: [DONE]\n\n",
        ])
        #expect(reading.failure == nil)
        #expect(reading.emissions == [.milliseconds(20), .milliseconds(30), .milliseconds(40)])
        // The end is that of the answer; the usage and the mark behind it are not waited for.
        #expect(ended == .milliseconds(70))
        #expect(
            reading.usage
                == .init(promptTokenCount: 4, completionTokenCount: 5, cachedTokenCount: 3))
    }

    @Test(arguments: [
        (#"{"reasoning_tokens": 1}"#, nil),
        (#"{"accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}"#, nil),
        (#"{"accepted_prediction_tokens": 3, "rejected_prediction_tokens": 2}"#, 3),
        (#"{"accepted_prediction_tokens": 0, "rejected_prediction_tokens": 2}"#, 0),
    ])
    func whatBecameOfDraftsIsReadWhereThereWereAny(_ details: String, _ accepted: Int?) {
        let (reading, _) = Self.read([
            """
            data: {"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 5, \
            "completion_tokens_details": \(details)}}\n\n
            """
        ])
        #expect(reading.usage?.drafts?.acceptedCount == accepted)
        #expect(reading.usage?.drafts?.rejectedCount == accepted.map { _ in 2 })
    }

    @Test func aTextCompletionIsReadAsWell() {
        let (reading, ended) = Self.read([
            #"data: {"choices": [{"text": "a", "finish_reason": null}]}"# + "\n\n",
            #"data: {"choices": [{"text": "b", "finish_reason": "length"}]}"# + "\n\n",
        ])
        #expect(reading.failure == nil)
        #expect(reading.emissions.count == 2)
        #expect(ended == .milliseconds(20))
        #expect(reading.usage == nil)
    }

    @Test(arguments: [
        ([#"data: {"choices": [{"text": "a"}]}"#], "cut_off"),
        ([], "cut_off"), ([": ping"], "cut_off"), (["data: [DONE]"], "empty_answer"),
        ([#"data: {"usage": {"prompt_tokens": 1}}"#, "data: [DONE]"], "empty_answer"),
        ([#"data: {"choices": []}"#, "data: [DONE]"], "empty_answer"),
        ([#"data: {"error": {"message": "no"}}"#, "data: [DONE]"], "error_event"),
        ([#"data: {"error": "no"}"#], "error_event"),
        (["event: error\ndata: {}"], "error_event"),
        (["data: {\"choices\""], "malformed_event"),
        (["data: 4"], "malformed_event"),
    ])
    func aBrokenStreamSaysHow(_ events: [String], _ kind: String) {
        #expect(Self.read(events.map { $0 + "\n\n" }).reading.failure?.kind == kind)
    }

    /// One answer as a server may send it, and what a record makes of it.
    struct Told: Sendable {
        let events: [String]
        let emissions: Int
        let tokens: Int?
        var prompt: Int? = 7
    }

    @Test(arguments: [
        // Token ids beside no text, several in an event, and none at the end.
        Told(
            events: [
                #"{"choices": [{"text": "", "token_ids": [4]}]}"#,
                #"{"choices": [{"text": "", "token_ids": [5, 6]}]}"#,
                #"{"choices": [{"text": "", "token_ids": [], "finish_reason": "length"}]}"#,
            ], emissions: 2, tokens: 3),
        Told(
            events: [
                #"{"choices": [{"delta": {"content": "", "token_ids": [4]}}]}"#,
                #"{"choices": [{"delta": {}, "finish_reason": "stop"}]}"#,
            ], emissions: 1, tokens: 1),
        // Usage without text; neither text nor usage; text beside a count of 0.
        Told(
            events: [
                #"{"choices": [{"text": "", "finish_reason": "length"}]}"#,
                #"{"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3}}"#,
            ], emissions: 0, tokens: 3, prompt: 5),
        Told(
            events: [#"{"choices": [{"text": "", "finish_reason": "stop"}]}"#], emissions: 0,
            tokens: nil),
        Told(
            events: [
                #"{"choices": [{"text": "a"}]}"#,
                #"{"choices": [{"text": "b", "finish_reason": "stop"}]}"#,
                #"{"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}}"#,
            ], emissions: 2, tokens: 2),
        // Counts with a fraction of 0, and a usage that is null.
        Told(
            events: [
                #"{"choices": [{"text": "a", "finish_reason": "stop"}], "usage": null}"#,
                #"{"choices": [], "usage": {"prompt_tokens": 5.0, "completion_tokens": 3.0}}"#,
            ], emissions: 1, tokens: 3, prompt: 5),
        Told(
            events: [
                #"{"choices": [{"text": "", "finish_reason": "stop"}]}"#,
                #"{"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 0}}"#,
            ], emissions: 0, tokens: 0, prompt: 5),
    ])
    func aRecordHasWhatTheServerTold(_ told: Told) {
        let (reading, _) = Self.read(told.events.map { "data: \($0)\n\n" })
        #expect(reading.failure == nil)
        var record = ServingRecord(index: 0, due: .zero, sent: .zero, ended: .seconds(1))
        record.promptTokenCount = 7
        record.take(reading)
        #expect(record.emissions.count == told.emissions)
        #expect(record.outputTokenCount == told.tokens)
        #expect(record.promptTokenCount == told.prompt)
    }

    @Test func aStreamMayEndWithoutItsMark() {
        let finished = Self.read([Self.chat(#"{"content": "a"}"#, "\"stop\"")])
        #expect(finished.reading.failure == nil)
        let marked = Self.read([Self.chat(#"{"content": "a"}"#), "data: [DONE]\n\n"])
        #expect(marked.reading.failure == nil)
        let torn = Self.read([Self.chat(#"{"content": "a"}"#), "data: {\"cho"])
        #expect(torn.reading.failure?.kind == "cut_off")
    }
}
