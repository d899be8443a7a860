// The options of `skein plan`, by what they are about.

import ArgumentParser
import SkeinCore
import SkeinPlanning
import SkeinTelemetry

/// The load that a cluster is planned for.
struct PlanWishOptions: ParsableArguments {
    @Option(
        name: .customLong("context"),
        help: "Positions that one sequence may have (default: 4096, or what the model allows).")
    var contextPositions: Int?

    @Option(help: "Sequences of that length at once: pages, and the forecast of decode.")
    var concurrency = 8

    @Option(name: .customLong("prompt-tokens"), help: "Tokens of a prompt, in the forecast.")
    var promptTokens: Int?

    @Option(name: .customLong("new-tokens"), help: "Tokens of a completion, in the forecast.")
    var newTokens: Int?

    @Option(help: "In which form the latent cache keeps its rows: bf16 or fp8 (default: bf16).")
    var latents: LatentForm?

    func validate() throws {
        func check(_ value: Int?, _ name: String, _ range: ClosedRange<Int>) throws {
            if let value, !range.contains(value) {
                throw ValidationError(
                    "\(name): expected \(range.lowerBound) to \(range.upperBound), found \(value)")
            }
        }
        try check(contextPositions, "--context", 2...Limits.positionsMax)
        try check(concurrency, "--concurrency", 1...Limits.microBatchSpansMax)
        try check(promptTokens, "--prompt-tokens", 1...Limits.positionsMax)
        try check(newTokens, "--new-tokens", 1...Limits.positionsMax)
    }

    /// The wish, with what is decided of the shape.
    func wish(_ shape: PlanShapeOptions, of model: ModelConfiguration) throws -> PlanWish {
        let positionCount = contextPositions ?? min(4_096, model.positionCountMax)
        let newCount = newTokens ?? min(128, max(1, positionCount / 4))
        let promptCount = promptTokens ?? max(1, min(512, positionCount - newCount))
        var wish = PlanWish(
            positionCount: positionCount, sequenceCount: concurrency,
            promptTokenCount: promptCount, newTokenCount: newCount, kind: shape.placement,
            nodeCount: shape.stages, expertHostCount: shape.experts)
        wish.serving.latentForm = latents ?? .bf16
        wish.serving.hopForm = shape.hop ?? .bf16
        return wish
    }
}

/// What of a planned cluster's shape is decided already.
struct PlanShapeOptions: ParsableArguments {
    @Option(help: "linear or vfold (default: whichever gives more).")
    var placement: PlacementKind?

    @Option(help: "Nodes of the ring (default: whatever gives most).")
    var stages: Int?

    @Option(help: "Hosts that hold experts alone (default: whatever gives most).")
    var experts: Int?

    @Option(help: "How activations travel between stages: bf16 or fp8 (default: bf16).")
    var hop: RowForm?

    @Option(help: "Predict what this cluster file gives; its nodes are hosts of the same name.")
    var cluster: String?

    func validate() throws {
        if let stages, !(1...Limits.nodesMax).contains(stages) {
            throw ValidationError("--stages: expected 1 to \(Limits.nodesMax), found \(stages)")
        }
        if let experts, !(0...Limits.plannedHostsMax).contains(experts) {
            throw ValidationError(
                "--experts: expected 0 to \(Limits.plannedHostsMax), found \(experts)")
        }
        let isDecided = placement != nil || stages != nil || experts != nil || hop != nil
        guard cluster == nil || !isDecided else {
            throw ValidationError(
                "--cluster: expected none of --placement, --stages, --experts and --hop beside it")
        }
    }
}

/// A load for the simulator.
struct PlanSimulationOptions: ParsableArguments {
    @Flag(help: "Simulate a load: --concurrency clients that ask one after the other, or a rate.")
    var simulate = false

    @Option(name: .customLong("num-prompts"), help: "Requests (default: four for each client).")
    var requestCount: Int?

    @Option(name: .customLong("request-rate"), help: "Requests a second, by a clock.")
    var requestRate: Double?

    @Option(
        name: .customLong("max-concurrency"),
        help: "Requests under way at most (default: --concurrency, with a rate: any).")
    var concurrencyMax: Int?

    @Option(help: "Seed of the arrivals.")
    var seed: UInt64 = 0

    func validate() throws {
        if let requestCount, !(1...Limits.simulatedRequestsMax).contains(requestCount) {
            throw ValidationError(
                "--num-prompts: expected 1 to \(Limits.simulatedRequestsMax), found \(requestCount)"
            )
        }
        if let requestRate, !(requestRate > 0 && requestRate <= 1e6) {
            throw ValidationError("--request-rate: expected more than 0, at most 1000000")
        }
        if let concurrencyMax, concurrencyMax < 1 {
            throw ValidationError("--max-concurrency: expected at least 1, found \(concurrencyMax)")
        }
        let isLoadGiven = requestCount != nil || requestRate != nil || concurrencyMax != nil
        guard simulate || !isLoadGiven else {
            throw ValidationError(
                "--num-prompts, --request-rate and --max-concurrency: expected --simulate too")
        }
    }

    /// The load, for a plan's own lengths.
    func load(for plan: ClusterPlan) -> SimulatedLoad {
        SimulatedLoad(
            requestCount: requestCount ?? max(16, 4 * plan.wish.sequenceCount),
            requestRate: requestRate,
            concurrencyMax: concurrencyMax ?? (requestRate == nil ? plan.wish.sequenceCount : nil),
            promptTokenCount: plan.wish.promptTokenCount,
            newTokenCount: plan.wish.newTokenCount, seed: seed)
    }
}

/// Over which links and loads the placements are compared.
struct PlanComparisonOptions: ParsableArguments {
    @Option(help: "Compare the placements with links this many milliseconds longer: 0,1,5,20.")
    var delays: String?

    @Option(help: "The numbers of streams to compare them with.")
    var streams = "1,2,4,8,16,32"

    /// Whether there is anything to compare.
    var isWanted: Bool { delays != nil }

    /// The delays in milliseconds.
    var delayMilliseconds: [Double] {
        get throws { try numbers(delays ?? "0", "--delays") { Double($0) } }
    }

    /// The numbers of streams.
    var streamCounts: [Int] {
        get throws { try numbers(streams, "--streams") { Int($0) } }
    }

    func validate() throws {
        guard try delayMilliseconds.allSatisfy({ $0 >= 0 && $0 <= 60_000 }) else {
            throw ValidationError("--delays: expected numbers from 0 to 60000")
        }
        guard try streamCounts.allSatisfy({ (1...Limits.microBatchSpansMax).contains($0) }) else {
            throw ValidationError(
                "--streams: expected numbers from 1 to \(Limits.microBatchSpansMax)")
        }
    }

    private func numbers<Number>(
        _ text: String, _ name: String, _ read: (Substring) -> Number?
    ) throws -> [Number] {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = parts.compactMap(read)
        guard numbers.count == parts.count, (1...64).contains(numbers.count) else {
            throw ValidationError("\(name): expected 1 to 64 numbers with commas, found '\(text)'")
        }
        return numbers
    }
}

/// A forecast beside what a running cluster measures.
struct PlanMeasuredOptions: ParsableArguments {
    @Option(
        name: .customLong("compare"),
        help: "The head's HTTP address, whose measurements stand beside --cluster's forecast.")
    var url: String?

    @Option(help: "With --compare: seconds to measure for.")
    var seconds = 30

    @OptionGroup var head: HeadOptions

    func validate() throws {
        guard (1...3_600).contains(seconds) else {
            throw ValidationError("--seconds: expected 1 to 3600, found \(seconds)")
        }
    }

    /// Reads the head's measurements twice and compares what was between.
    func comparison(url: String, clusterFile: String) async throws -> ForecastComparison {
        let forecast = try KeptForecast(beside: clusterFile)
        let client = try head.client(of: try HeadAddress(parsing: url, subject: "--compare"))
        do {
            let before = PrometheusSamples(parsing: try await client.metrics())
            let start = ContinuousClock.now
            try await Task.sleep(for: .seconds(seconds))
            let after = PrometheusSamples(parsing: try await client.metrics())
            let elapsed = (ContinuousClock.now - start) / .seconds(1)
            await client.close()
            return ForecastComparison(
                forecast, from: before, to: after, seconds: elapsed, url: client.address.text)
        } catch {
            await client.close()
            throw error
        }
    }
}
