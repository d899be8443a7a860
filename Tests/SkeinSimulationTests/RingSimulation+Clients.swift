import SkeinCore
import SkeinPlanning
import SkeinScheduling

extension RingSimulation {
    /// Plans arrivals, cancellations and epochs over the expected length of the run.
    mutating func planClients() {
        let openings = (0..<4).map { _ in randomTokens(Int.random(in: 70...200, using: &numbers)) }
        var time: UInt64 = 0
        for number in 0..<scenario.requestCount {
            let id = SequenceID(rawValue: UInt64(number) + 1)
            if scenario.arrivalGap > 0 {
                time += UInt64.random(in: 0...(2 * scenario.arrivalGap), using: &numbers)
            }
            clients[id] = makeClient(id, openings)
            timeline.plan(.arrival(id), at: time)
            if numbers.chance(scenario.cancelPercent) {
                timeline.plan(
                    .cancel(id), at: time + UInt64.random(in: 0...200_000, using: &numbers))
            }
        }
        for _ in 0..<scenario.epochCount {
            timeline.plan(.epoch, at: UInt64.random(in: 0...(time + 100_000), using: &numbers))
        }
    }

    mutating func randomTokens(_ count: Int) -> [TokenID] {
        (0..<count).map { _ in
            TokenID(Int.random(in: 0..<FakeModel.vocabularySize, using: &numbers))
        }
    }

    private mutating func makeClient(
        _ id: SequenceID, _ openings: [[TokenID]]
    ) -> SimulatedClient {
        let longest = numbers.chance(15) ? scenario.promptMax : scenario.promptMax / 6
        var prompt = randomTokens(Int.random(in: 1...longest, using: &numbers))
        if numbers.chance(30) {
            prompt = openings[Int.random(in: 0..<4, using: &numbers)] + prompt
        }
        var tenant: String?
        if scenario.kinPercent > 0, numbers.chance(scenario.kinPercent), id.rawValue > 1 {
            let near = id.rawValue > 12 ? id.rawValue - 12 : 1
            let kin = SequenceID(
                rawValue: UInt64.random(in: near..<id.rawValue, using: &numbers))
            if let kin = clients[kin] {
                prompt = kinPrompt(of: kin)
                if numbers.chance(80) { tenant = kin.request.tenant }
            }
        }
        let isScored = numbers.chance(6)
        let completionMax = scenario.completionMax
        let tokensMax =
            isScored && numbers.chance(50) ? 0 : Int.random(in: 1...completionMax, using: &numbers)
        var sampling = SamplingParameters()
        sampling.temperature = 1
        sampling.seed = numbers.next() % 3
        if numbers.chance(10) { sampling.presencePenalty = 0.5 }
        let request = SequenceRequest(
            id: id, promptTokens: prompt,
            stopRule: StopRule(
                completionTokensMax: tokensMax,
                stopTokens: numbers.chance(50) ? [FakeModel.stopToken] : []),
            sampling: sampling,
            targets: isScored ? Array(prompt.dropFirst()) + [0] : [],
            capture: numbers.chance(4) ? .logits : [],
            chunkRowsMax: numbers.chance(5)
                ? [1, 7, 64, 4_096].randomElement(using: &numbers) : nil,
            tenant: tenant ?? (numbers.chance(50) ? "geese" : "swans"))
        var client = SimulatedClient(request: request, expected: [], expectedScores: [])
        if numbers.chance(5) {
            client.textStop = Int.random(in: 1...20, using: &numbers)
            client.readsLate = numbers.chance(50)
        }
        runAlone(&client)
        return client
    }

    /// What the request gives when nobody else is there and nothing fails.
    private func runAlone(_ client: inout SimulatedClient) {
        let request = client.request
        var row: UInt64 = 0
        for (position, token) in request.promptTokens.enumerated() {
            row = FakeModel.row(after: row, token)
            client.rows.append(row)
            if !request.targets.isEmpty {
                client.expectedScores.append(FakeModel.score(row, request.targets[position]))
            }
        }
        while client.expected.count < request.stopRule.completionTokensMax {
            let token = FakeModel.nextToken(row, seed: request.sampling.seed)
            client.expected.append(token)
            if request.stopRule.stopTokens.contains(token) { break }
            row = FakeModel.row(after: row, token)
        }
    }

    /// Everyone got an end, and the tokens that the request gives alone.
    mutating func checkEnd() {
        guard faults.isEmpty else { return }
        if schedule.liveCount != 0 || schedule.inFlightCount != 0 {
            faults.append("\(schedule.liveCount) sequences never ended")
        }
        if schedule.ownedPageCount != 0 { faults.append("\(schedule.ownedPageCount) pages leaked") }
        checkReach()
        checkCounts()
        for (id, client) in clients.sorted(by: { $0.key < $1.key }) {
            let name = "sequence \(id.rawValue)"
            if !client.expected.starts(with: client.received) {
                faults.append("\(name): other tokens than alone")
            }
            if !client.expectedScores.starts(with: client.scores) {
                faults.append("\(name): other scores than alone")
            }
            if client.isRefused { continue }
            guard let end = client.end else {
                faults.append("\(name): starved")
                continue
            }
            if end == .cancelled { continue }
            let stoppedByText = client.textStop.map { client.received.count >= $0 } ?? false
            if stoppedByText { continue }
            let stops = client.request.stopRule.stopTokens
            let expected: FinishReason =
                client.expected.last.map(stops.contains) ?? false ? .stop : .length
            if client.received != client.expected || end != expected {
                faults.append("\(name): ended as \(end) after \(client.received.count) tokens")
            }
            if client.scores != client.expectedScores { faults.append("\(name): scores missing") }
        }
    }

    /// The scenario reached what it was made for.
    private mutating func checkReach() {
        let totals = schedule.totals
        if scenario.runsOutOfPages, totals.preemptionCount < 50 {
            faults.append("only \(totals.preemptionCount) preemptions")
        }
        if scenario.epochCount > 0, totals.staleReturnCount == 0 {
            faults.append("no epoch found anything in the ring")
        }
        if scenario.reusesPrefixes, totals.reusedRowCount < 1_000 {
            faults.append("only \(totals.reusedRowCount) rows reused")
        }
    }
}
