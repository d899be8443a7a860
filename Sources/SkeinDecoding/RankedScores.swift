/// Scores in falling order, the lower token first on ties, sorted only as far as someone looks.
///
/// A draw looks at a few dozen of 129,280 tokens as a rule. A sample of the scores tells from
/// which score on about as many tokens as wanted lie; those are collected and sorted, and eight
/// times as many each time they do not suffice. The order found is that of a full sort, whatever
/// the sample says: a bad one costs time only.
struct RankedScores {
    private struct Entry {
        var score: Double
        var token: Int32
    }

    private var ranked: [Entry] = []
    private var sample: [Double] = []

    /// Ranks found by the first pass, at least.
    private static let firstCount = 64

    /// Scores that the sample has at most; its own sort takes as long as half a pass.
    private static let sampleCount = 1_024

    /// Forgets the ranking of the scores before.
    mutating func reset() { ranked.removeAll(keepingCapacity: true) }

    /// The token at a place, or `nil` beyond the last.
    ///
    /// - Parameters:
    ///   - scores: The same scores since the last reset.
    ///   - hint: Ranks that will be wanted at least.
    mutating func token(at place: Int, of scores: [Double], hint: Int = 0) -> Int? {
        guard place < scores.count else { return nil }
        if place >= ranked.count {
            let wanted = max(place + 1, hint, ranked.count * 8, Self.firstCount)
            extend(to: min(wanted, scores.count), of: scores)
        }
        return Int(ranked[place].token)
    }

    private mutating func extend(to count: Int, of scores: [Double]) {
        collect(from: threshold(for: count, of: scores), of: scores)
        if ranked.count < count { collect(from: -.infinity, of: scores) }
        ranked.sort { left, right in
            left.score > right.score || (left.score == right.score && left.token < right.token)
        }
    }

    /// A score that probably `count` others reach: half as many again, and eight for luck.
    private mutating func threshold(for count: Int, of scores: [Double]) -> Double {
        let stride = scores.count / Self.sampleCount
        guard stride > 1, count < scores.count / 4 else { return -.infinity }
        sample.removeAll(keepingCapacity: true)
        var index = 0
        while index < scores.count {
            sample.append(scores[index])
            index += stride
        }
        sample.sort(by: >)
        return sample[min(sample.count - 1, count * 3 / (2 * stride) + 8)]
    }

    private mutating func collect(from threshold: Double, of scores: [Double]) {
        ranked.removeAll(keepingCapacity: true)
        for token in scores.indices where scores[token] >= threshold {
            ranked.append(Entry(score: scores[token], token: Int32(token)))
        }
    }
}
