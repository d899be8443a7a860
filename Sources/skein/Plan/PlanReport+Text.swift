import Foundation
import SkeinCluster
import SkeinCore

extension PlanReport {
    /// The report for people.
    var text: String {
        let chapters = [clusterText, nodesText, predictedText, economics.text] + simulationText
        return chapters.joined(separator: "\n")
    }

    private var clusterText: String {
        var lines = [
            "\(Self.count(nodes.count, "node")), \(placement): \(placementReason)",
            "\(contextPositions) positions, \(Self.count(concurrency, "sequence")) at once: "
                + "\(Self.count(pages, "page")), "
                + "latents in \(latents)",
        ]
        if hop != RowForm.bf16.rawValue { lines.append("activations travel as \(hop)") }
        if !unusedHosts.isEmpty {
            lines.append("not used: " + Self.list(unusedHosts))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func count(_ count: Int, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
    }

    private var nodesText: String {
        var rows = [
            [
                "NODE", "HOLDS", "WEIGHTS", "CACHE", "PROGRAM", "TOTAL", "OF", "STEP MS",
                "AWAY MS", "BUSY",
            ]
        ]
        for node in nodes {
            rows.append([
                node.name, Self.holdings(node), "\(ByteText(node.weightBytes))",
                "\(ByteText(node.cacheBytes))", "\(ByteText(node.overheadBytes))",
                "\(ByteText(node.totalBytes))", "\(ByteText(node.memoryBytes))",
                node.slices.isEmpty ? "–" : number(node.stepMs),
                node.slices.isEmpty ? "–" : number(node.awayMs), percent(node.predictedBusyShare),
            ])
        }
        return PlainTable(rows).text
    }

    private static func holdings(_ node: Node) -> String {
        let experts = node.experts.map { part in
            "experts \(part.firstExpert)-\(part.lastExpert) of layers "
                + "\(part.firstLayer)-\(part.lastLayer)"
        }
        return list(node.slices + experts)
    }

    /// The first few of some texts, and how many more there are.
    private static func list(_ texts: [String]) -> String {
        let most = 4
        let shown = texts.prefix(most).joined(separator: "; ")
        return texts.count > most ? "\(shown); and \(texts.count - most) more" : shown
    }

    private var predictedText: String {
        var rows = [
            [
                "", "PLACEMENT", "NODES", "EXPERT HOSTS", "M", "TTFT MS", "TPOT MS", "TOKENS/S",
                "ONE STREAM", "BUBBLE", "HIDDEN",
            ]
        ]
        for candidate in candidates where !candidates.contains(where: candidate.isBeaten) {
            let isChosen =
                candidate.placement == placement
                && candidate.predictedOutputTokensPerSecond == predictedOutputTokensPerSecond
            let row = [
                isChosen ? "chosen" : "", candidate.placement, String(candidate.nodes),
                String(candidate.expertHosts), String(candidate.decodeMicroBatches),
                number(candidate.predictedTtftMs), number(candidate.predictedTpotMs),
                number(candidate.predictedOutputTokensPerSecond),
                number(candidate.predictedSingleStreamTokensPerSecond),
                percent(candidate.predictedBubbleShare),
                percent(candidate.predictedHiddenCommunicationShare),
            ]
            if !rows.contains(row) { rows.append(row) }
        }
        return "prompts of \(Self.count(promptTokens, "token")), completions of \(newTokens), "
            + "\(concurrency) decode together:\n" + PlainTable(rows).text
            + "M: micro-batches of decode that are in the ring together\n"
    }

    private var simulationText: [String] {
        guard let simulation else { return [] }
        let load =
            simulation.requestRate.map { "\(number($0)) requests a second" }
            ?? "\(simulation.maxConcurrency ?? 0) clients, one request after the other"
        func row(_ name: String, _ values: [Double]) -> [String] { [name] + values.map(number) }
        let table = PlainTable([
            ["MS", "MEAN", "MEDIAN", "P90", "P99"],
            row(
                "TTFT",
                [
                    simulation.meanTtftMs, simulation.medianTtftMs, simulation.p90TtftMs,
                    simulation.p99TtftMs,
                ]),
            row(
                "TPOT",
                [
                    simulation.meanTpotMs, simulation.medianTpotMs, simulation.p90TpotMs,
                    simulation.p99TpotMs,
                ]),
            row(
                "end to end",
                [
                    simulation.meanE2elMs, simulation.medianE2elMs, simulation.p90E2elMs,
                    simulation.p99E2elMs,
                ]),
        ])
        return [
            "simulated: \(load); \(simulation.completed) requests in "
                + "\(number(simulation.duration)) s"
                + (simulation.refused > 0 ? ", \(simulation.refused) told to come later" : "")
                + "\n" + table.text
                + "\(number(simulation.requestThroughput)) requests/s, "
                + "\(number(simulation.outputThroughput)) tokens/s out, "
                + "\(number(simulation.totalTokenThroughput)) in all; "
                + "\(number(simulation.meanDecodeRows)) decode rows a micro-batch, bubble "
                + "\(percent(simulation.bubbleShare))\n"
        ]
    }
}

extension PlanReport.Candidate {
    /// Whether another way to cut the layers over the same nodes gives more.
    fileprivate func isBeaten(by other: Self) -> Bool {
        placement == other.placement && nodes == other.nodes && expertHosts == other.expertHosts
            && predictedOutputTokensPerSecond < other.predictedOutputTokensPerSecond
    }
}

extension EconomicsReport {
    /// The lines for people.
    var text: String {
        let ratio = Double(expandedCacheBytesPerToken) / Double(max(1, cacheBytesPerToken))
        var lines = [
            "parameters      \(billions(parametersTotal)) in all, \(billions(parametersActive)) "
                + "active a token",
            "operations      \(number(flopsPerToken / 1e9)) GFLOP a token; a dense model of that "
                + "size \(number(denseFlopsPerToken / 1e9)), \(number(denseRatio)) times as many "
                + "(attention apart)",
            "weights read    \(ByteText(Int(weightBytesPerToken))) a token, "
                + "\(ByteText(Int(weightBytesPerTokenAlone))) by one that is alone",
            "latent cache    \(cacheBytesPerToken) B a token; keys and values of all heads "
                + "\(expandedCacheBytesPerToken) B, \(number(ratio)) times as much",
        ]
        if let watts, let tokensPerJoule {
            lines.append(
                "power           \(number(watts)) W, "
                    + String(format: "%.4f tokens a joule", tokensPerJoule))
        }
        if let pricePerHour, let tokensPerUnitOfMoney, let pricePerMillionTokens {
            lines.append(
                "price           \(number(pricePerHour)) \(currency) an hour, "
                    + "\(number(tokensPerUnitOfMoney)) tokens for 1 \(currency), "
                    + "\(number(pricePerMillionTokens)) \(currency) for a million")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func billions(_ count: Int) -> String {
        count >= 1_000_000_000
            ? String(format: "%.2f G", Double(count) / 1e9)
            : String(format: "%.2f M", Double(count) / 1e6)
    }
}

private func number(_ value: Double) -> String {
    String(format: abs(value) < 10 ? "%.2f" : "%.1f", value)
}

private func percent(_ share: Double) -> String { String(format: "%.1f %%", share * 100) }
