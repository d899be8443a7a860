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
struct ServingRecord: Equatable, Sendable {
    /// Its place among the requests.
    let index: Int
    /// When it was due; in a closed loop, when its slot became free.
    var due: Duration
    /// When it was first sent.
    var sent: Duration
    /// When it had ended: its last piece of text or its finish reason had come.
    var ended: Duration
    /// When each event that carried text came.
    var emissions: [Duration] = []
    /// Tokens of the prompt, where the server or the prompt tells them.
    var promptTokenCount: Int?
    /// Tokens of the prompt that were in the server's prefix cache, where it tells.
    var cachedTokenCount: Int?
    /// Tokens of the answer, as the server counts them; `nil` where it does not.
    var usageTokenCount: Int?
    /// How often it was sent again because the server asked for it.
    var retryCount = 0
    var failure: ServingFailure?

    /// Tokens of the answer; without the server's count, the events that carried text.
    var outputTokenCount: Int { usageTokenCount ?? emissions.count }

    /// From the time at which it was due to its first text.
    ///
    /// An answer without text has its first token when it ends.
    var timeToFirstToken: Duration { (emissions.first ?? ended) - due }

    /// From the time at which it was due to its end.
    var latency: Duration { ended - due }

    /// The mean time between tokens after the first; an answer of one token has none.
    var timePerOutputToken: Duration? {
        guard outputTokenCount > 1 else { return nil }
        return (latency - timeToFirstToken) / (outputTokenCount - 1)
    }

    /// The gaps between events that carried text.
    var interTokenLatencies: [Duration] {
        zip(emissions, emissions.dropFirst()).map { $1 - $0 }
    }
}
