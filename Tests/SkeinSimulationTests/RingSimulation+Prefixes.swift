import SkeinCore
import SkeinScheduling

// What clients have in common, and what comes of it.
extension RingSimulation {
    /// A prompt that has to do with an earlier one: the same, the same up to some token, or the
    /// next turn of the same conversation.
    mutating func kinPrompt(of kin: SimulatedClient) -> [TokenID] {
        let prompt = kin.request.promptTokens
        let more = randomTokens(Int.random(in: 1...90, using: &numbers))
        let tokens: [TokenID] =
            switch Int.random(in: 0..<5, using: &numbers) {
            case 0, 1: prompt
            case 2: prompt.prefix(Int.random(in: 1...prompt.count, using: &numbers)) + more
            case 3: prompt + kin.expected
            default: prompt + kin.expected + more
            }
        return Array(tokens.prefix(1_400))
    }

    /// The schedule has said how much of the prompt it does not run.
    mutating func begin(_ id: SequenceID, cachedTokenCount: Int) {
        if clients[id]?.cachedTokenCount != nil { faults.append("\(id.rawValue) began twice") }
        clients[id]?.cachedTokenCount = cachedTokenCount
    }

    /// The first span of a sequence begins where the known rows end, and its last token is run.
    mutating func noteBeginning(of span: SequenceSpan) {
        guard let client = clients[span.sequence] else { return }
        if client.cachedTokenCount != span.firstPosition {
            faults.append("\(span.sequence.rawValue) began elsewhere than was said")
        }
        if span.firstPosition > 0, !scenario.reusesPrefixes || !client.request.targets.isEmpty {
            faults.append("\(span.sequence.rawValue) uses rows that it should have run")
        }
    }

    /// A sequence may be overtaken only while it waits for the rows of one before it.
    mutating func noteOvertaken(_ id: SequenceID) {
        overtakingCount += 1
        guard let client = clients[id] else { return }
        let tokens = client.request.promptTokens
        let mayWait = clients.contains { other, prefixOwner in
            guard other < id, prefixOwner.request.tenant == client.request.tenant else {
                return false
            }
            let others = prefixOwner.request.promptTokens + prefixOwner.expected
            return zip(tokens, others).prefix { $0 == $1 }.count >= Limits.pageRowCount
        }
        if !scenario.reusesPrefixes || !mayWait {
            faults.append("sequence \(id.rawValue) was overtaken")
        }
    }

    /// What was said of the cache adds up.
    mutating func checkCounts() {
        let begun = clients.values.filter { $0.cachedTokenCount != nil }
        let cachedCount = begun.reduce(0) { $0 + ($1.cachedTokenCount ?? 0) }
        let promptCount = begun.reduce(0) { $0 + $1.request.promptTokens.count }
        let totals = schedule.totals
        if totals.cachedTokenCount != cachedCount || totals.promptTokenCount != promptCount {
            faults.append("\(totals.cachedTokenCount) of \(totals.promptTokenCount) tokens cached")
        }
        guard scenario.kinPercent > 0 else { return }
        if copyCount < 20 { faults.append("only \(copyCount) pages copied") }
        if scenario.arrivalGap == 0, scenario.stageCount > 1, overtakingCount == 0 {
            faults.append("nobody waited")
        }
        if cachedCount * 10 < promptCount { faults.append("only \(cachedCount) tokens cached") }
    }
}
