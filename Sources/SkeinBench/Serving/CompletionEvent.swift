import SkeinCore

/// What one event of a completion's stream tells, in OpenAI's form for chats and for texts.
struct CompletionEvent: Equatable {
    /// The tokens that a request has used, as the server counts them.
    struct Usage: Equatable {
        let promptTokenCount: Int
        let completionTokenCount: Int
        /// Tokens of the prompt that were found in the server's prefix cache, where it says so.
        let cachedTokenCount: Int?
        /// What became of tokens that the server guessed ahead, where it says so.
        var drafts: DraftCounts?
    }

    /// Whether tokens reach the reader: as content, reasoning, a piece of a tool call or ids.
    ///
    /// The event that only tells the role brings none.
    var carriesTokens = false
    /// Token ids that it brings; `nil` where it names none.
    var tokenIDCount: Int?
    /// Whether it is about an answer.
    var hasChoice = false
    /// Whether an answer ends with it.
    var isFinish = false
    /// Whether it is the mark at the end of the stream.
    var isEndMark = false
    var usage: Usage?
    /// What went wrong, where the server says so in the middle of a stream.
    var failure: String?

    /// Reads an event.
    ///
    /// - Throws: where it is no JSON object.
    init(_ event: EventStreamParser.Event) throws(Refusal) {
        if event.content.elementsEqual("[DONE]".utf8) {
            isEndMark = true
            return
        }
        let value = try JSONValue(parsing: event.content, subject: "event", rules: .lenient)
        guard let fields = value.fields else {
            throw Refusal("event", "found \(value.summary), expected an object")
        }
        if let error = fields["error"], error != .null {
            failure = error.fields?["message"]?.string ?? error.string ?? error.summary
        } else if event.name == "error" {
            failure = fields["message"]?.string ?? "an event named error"
        }
        for choice in fields["choices"]?.array ?? [] {
            guard let choice = choice.fields else { continue }
            hasChoice = true
            let delta = choice["delta"]?.fields ?? [:]
            if Self.hasText(choice) || Self.hasText(delta) { carriesTokens = true }
            if let ids = (choice["token_ids"] ?? delta["token_ids"])?.array {
                tokenIDCount = (tokenIDCount ?? 0) + ids.count
            }
            if choice["finish_reason"]?.string != nil { isFinish = true }
        }
        usage = Self.usage(fields["usage"])
    }

    private static func hasText(_ fields: [String: JSONValue]) -> Bool {
        for name in ["text", "content", "reasoning_content", "reasoning", "refusal"] {
            if let text = fields[name]?.string, !text.isEmpty { return true }
        }
        for name in ["tool_calls", "token_ids"] {
            if let pieces = fields[name]?.array, !pieces.isEmpty { return true }
        }
        return false
    }

    private static func usage(_ value: JSONValue?) -> Usage? {
        guard let fields = value?.fields, let prompt = fields["prompt_tokens"]?.count,
            let completion = fields["completion_tokens"]?.count
        else { return nil }
        let details = fields["prompt_tokens_details"]?.fields
        return Usage(
            promptTokenCount: prompt, completionTokenCount: completion,
            cachedTokenCount: details?["cached_tokens"]?.count,
            drafts: drafts(fields["completion_tokens_details"]?.fields))
    }

    private static func drafts(_ details: [String: JSONValue]?) -> DraftCounts? {
        guard let accepted = details?["accepted_prediction_tokens"]?.count,
            let rejected = details?["rejected_prediction_tokens"]?.count
        else { return nil }
        // Servers that guess nothing ahead may say 0 of both.
        return accepted > 0 || rejected > 0
            ? DraftCounts(acceptedCount: accepted, rejectedCount: rejected) : nil
    }
}
