public import SkeinCore

/// The latencies that an answer must keep to be a good one.
public struct ServiceLevel: Sendable, Equatable {
    /// The longest time to the first token.
    public var timeToFirstTokenMax: Duration?
    /// The longest mean time between tokens.
    public var timePerOutputTokenMax: Duration?
    /// The longest time to the end.
    public var latencyMax: Duration?

    /// Reads words such as `ttft:500`, `tpot:50` and `e2el:5000`, in milliseconds.
    ///
    /// - Throws: where a word has another form, a name comes twice, or nothing is asked for.
    public init(words: [String]) throws(Refusal) {
        for word in words {
            let parts = word.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let ms = Double(parts[1]), ms > 0, ms.isFinite, ms <= 1e9 else {
                throw Self.refusal(word)
            }
            let limit = Duration.seconds(ms / 1_000)
            switch parts[0] {
            case "ttft" where timeToFirstTokenMax == nil: timeToFirstTokenMax = limit
            case "tpot" where timePerOutputTokenMax == nil: timePerOutputTokenMax = limit
            case "e2el" where latencyMax == nil: latencyMax = limit
            default: throw Self.refusal(word)
            }
        }
    }

    /// The limits that are set, in milliseconds, by their names on the command line.
    var json: JSONValue {
        let limits = [
            "ttft": timeToFirstTokenMax, "tpot": timePerOutputTokenMax, "e2el": latencyMax,
        ]
        return .object(limits.compactMapValues { $0.map { .measured($0 / .milliseconds(1)) } })
    }

    private static func refusal(_ word: String) -> Refusal {
        Refusal(
            "--goodput",
            "found '\(word)', expected ttft:MS, tpot:MS or e2el:MS, each once, in milliseconds")
    }

    /// Whether a request that ended well also ended in time; `nil` where that was not measured.
    func isKept(by record: ServingRecord) -> Bool? {
        if let latencyMax, record.latency > latencyMax { return false }
        // An answer of one token, or whose tokens came together, has kept nobody waiting between.
        if let timePerOutputTokenMax, let found = record.timePerOutputToken,
            found > timePerOutputTokenMax
        {
            return false
        }
        guard !record.emissions.isEmpty else {
            return timeToFirstTokenMax == nil && timePerOutputTokenMax == nil ? true : nil
        }
        guard let timeToFirstTokenMax else { return true }
        return record.timeToFirstToken.map { $0 <= timeToFirstTokenMax }
    }
}
