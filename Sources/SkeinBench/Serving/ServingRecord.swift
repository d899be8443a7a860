import SkeinCore

/// Why a request did not come to its end.
struct ServingFailure: Equatable, Sendable, Error {
    /// The sort of failure, by which they are counted, such as `connect` or `http_503`.
    let kind: String
    /// One line for a person.
    let detail: String

    /// The run was broken off while the request was under way: nobody's failure.
    static let interrupted = ServingFailure(kind: "interrupted", detail: "the run was broken off")
}

/// What was measured of one request; all times count from the start of the run.
///
/// What was not measured is `nil`: a figure of 0 would read as a very good one.
struct ServingRecord: Equatable, Sendable {
    /// Its place among the requests.
    let index: Int
    /// When it was due; in a closed loop, when its slot became free.
    var due: Duration
    /// When it was first sent.
    var sent: Duration
    /// When it had ended: its last piece of text or its finish reason had come.
    var ended: Duration
    /// When each event that carried tokens came.
    var emissions: [Duration] = []
    /// Tokens that the answer may have at most.
    var wantedTokenCount: Int?
    /// Tokens of the prompt, where the server or the prompt tells them.
    var promptTokenCount: Int?
    /// Tokens of the prompt that were in the server's prefix cache, where it tells.
    var cachedTokenCount: Int?
    /// What became of tokens that the server guessed ahead, where it tells.
    var drafts: DraftCounts?
    /// Tokens of the answer, as the server counts them or sends their ids; `nil` where it does not.
    var toldTokenCount: Int?
    /// How often it was sent again because the server asked for it.
    var retryCount = 0
    var failure: ServingFailure?

    /// Tokens of the answer; where the server does not tell them, the events that carried text.
    ///
    /// An answer without either may have any number of tokens.
    var outputTokenCount: Int? { toldTokenCount ?? (emissions.isEmpty ? nil : emissions.count) }

    /// From the time at which it was due to its first token; an answer of which no event carried
    /// any has none.
    var timeToFirstToken: Duration? { emissions.first.map { $0 - due } }

    /// From the time at which it was due to its end.
    var latency: Duration { ended - due }

    /// The mean time between tokens after the first.
    ///
    /// An answer of one token has none, nor has one whose tokens all came together.
    var timePerOutputToken: Duration? {
        guard let first = emissions.first, let last = emissions.last, last > first,
            let outputTokenCount, outputTokenCount > 1
        else { return nil }
        return (ended - first) / (outputTokenCount - 1)
    }

    /// The gaps between events that carried tokens; those that came in one read have none.
    var interTokenLatencies: [Duration] {
        zip(emissions, emissions.dropFirst()).map { $1 - $0 }.filter { $0 > .zero }
    }

    /// Whether the answer has fewer tokens than it might have had.
    var isShort: Bool {
        guard let wantedTokenCount, let outputTokenCount else { return false }
        return outputTokenCount < wantedTokenCount
    }

    /// Takes what an answer has brought.
    mutating func take(_ reading: AnswerReading) {
        emissions = reading.emissions
        guard let usage = reading.usage else {
            toldTokenCount = reading.tokenIDCount
            return
        }
        if usage.promptTokenCount > 0 { promptTokenCount = usage.promptTokenCount }
        cachedTokenCount = usage.cachedTokenCount
        drafts = usage.drafts
        // A count of 0 beside text is no count.
        let isCount = usage.completionTokenCount > 0 || emissions.isEmpty
        toldTokenCount = isCount ? usage.completionTokenCount : reading.tokenIDCount
    }
}
