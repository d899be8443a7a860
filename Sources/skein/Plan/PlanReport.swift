import SkeinCluster
import SkeinCore
import SkeinPlanning
import SkeinWeights

/// What `skein plan` tells, with the names that others script against.
struct PlanReport: Encodable {
    /// One host that is used.
    struct Node: Encodable {
        let name: String
        let address: String
        let slices: [String]
        let experts: [ReportedExperts]
        let weightBytes: Int
        let cacheBytes: Int
        let overheadBytes: Int
        let totalBytes: Int
        let memoryBytes: Int
        let stepMs: Double
        let awayMs: Double
        let predictedBusyShare: Double
        let predictedBubbleShare: Double
    }

    /// A ring that was compared with the chosen one.
    struct Candidate: Encodable {
        let placement: String
        let nodes: Int
        let expertHosts: Int
        let decodeMicroBatches: Int
        let predictedTtftMs: Double
        let predictedTpotMs: Double
        let predictedOutputTokensPerSecond: Double
        let predictedSingleStreamTokensPerSecond: Double
        let arithmeticOutputTokensPerSecond: Double
        let predictedBubbleShare: Double
        let predictedHiddenCommunicationShare: Double
    }

    let architecture: String
    let diskBytes: Int
    let placement: String
    let placementReason: String
    let contextPositions: Int
    let concurrency: Int
    let promptTokens: Int
    let newTokens: Int
    let pages: Int
    let latents: String
    let decodeMicroBatches: Int
    let rowsPerMicroBatch: Double
    let stepsAtOnce: Int
    let microBatches: Int?
    let hop: String
    let predictedTtftMs: Double
    let predictedTpotMs: Double
    let predictedOutputTokensPerSecond: Double
    let predictedSingleStreamTokensPerSecond: Double
    let arithmeticOutputTokensPerSecond: Double
    let predictedBubbleShare: Double
    let predictedHiddenCommunicationShare: Double
    let wayMs: Double
    let nodes: [Node]
    let unusedHosts: [String]
    let candidates: [Candidate]
    let economics: EconomicsReport
    var simulation: Simulation?

    init(_ plan: ClusterPlan) {
        let arithmetic = ModelArithmetic(plan.configuration)
        let forecast = plan.forecast
        architecture = plan.configuration.family.rawValue
        diskBytes = arithmetic.published.totalBytes
        placement = plan.ring.kind.rawValue
        placementReason = plan.reason
        contextPositions = plan.ring.serving.positionCount
        concurrency = plan.wish.sequenceCount
        promptTokens = plan.wish.promptTokenCount
        newTokens = plan.wish.newTokenCount
        pages = plan.ring.serving.pageCount
        latents = plan.ring.serving.latentForm.rawValue
        decodeMicroBatches = forecast.microBatchCount
        rowsPerMicroBatch = Double(forecast.sequenceCount) / Double(forecast.microBatchCount)
        stepsAtOnce = plan.ring.serving.stepsAtOnce
        microBatches = plan.ring.serving.microBatchesInFlightMax
        hop = plan.ring.serving.hopForm.rawValue
        predictedTtftMs = plan.simulated.timeToFirstTokenSeconds * 1_000
        predictedTpotMs = plan.simulated.timePerTokenSeconds * 1_000
        predictedOutputTokensPerSecond = plan.simulated.tokensPerSecond
        predictedSingleStreamTokensPerSecond = plan.simulated.singleStreamTokensPerSecond
        arithmeticOutputTokensPerSecond = forecast.tokensPerSecond
        predictedBubbleShare = forecast.bubbleShare
        predictedHiddenCommunicationShare = forecast.hiddenCommunicationShare
        wayMs = forecast.waySeconds * 1_000
        nodes = plan.nodes.map { Self.node($0, of: plan) }
        unusedHosts = plan.unusedHosts.map { plan.hosts.hosts[$0].name }
        candidates = plan.candidates.map(Self.candidate)
        economics = EconomicsReport(plan)
    }

    private static func node(_ node: ClusterPlan.Node, of plan: ClusterPlan) -> Node {
        let host = plan.hosts.hosts[node.host]
        let stages = plan.forecast.stages.filter { $0.host == node.host }
        let busyShare = plan.forecast.busyShares[node.host] ?? 0
        return Node(
            name: host.name, address: "\(host.address)", slices: node.slices.map(\.text),
            experts: node.shards.map {
                ReportedExperts(layers: $0.layers, experts: $0.experts)
            },
            weightBytes: node.memory.weightBytes, cacheBytes: node.memory.latentBytes,
            overheadBytes: node.memory.fixedBytes + node.memory.activationBytes,
            totalBytes: node.memory.totalBytes, memoryBytes: host.memoryBytes,
            stepMs: stages.reduce(0) { $0 + $1.stepSeconds } * 1_000,
            awayMs: stages.reduce(0) { $0 + $1.awaySeconds } * 1_000,
            predictedBusyShare: busyShare, predictedBubbleShare: 1 - busyShare)
    }

    private static func candidate(_ candidate: ClusterPlan.Alternative) -> Candidate {
        Candidate(
            placement: candidate.ring.kind.rawValue, nodes: candidate.ring.nodeHosts.count,
            expertHosts: candidate.ring.expertHosts.count,
            decodeMicroBatches: candidate.forecast.microBatchCount,
            predictedTtftMs: candidate.simulated.timeToFirstTokenSeconds * 1_000,
            predictedTpotMs: candidate.simulated.timePerTokenSeconds * 1_000,
            predictedOutputTokensPerSecond: candidate.simulated.tokensPerSecond,
            predictedSingleStreamTokensPerSecond: candidate.simulated.singleStreamTokensPerSecond,
            arithmeticOutputTokensPerSecond: candidate.forecast.tokensPerSecond,
            predictedBubbleShare: candidate.forecast.bubbleShare,
            predictedHiddenCommunicationShare: candidate.forecast.hiddenCommunicationShare)
    }
}

/// What it costs.
struct EconomicsReport: Encodable {
    /// The sum of DeepSeek-V3's report, for comparison.
    struct Training: Encodable {
        let h800Hours: Int
        let dollarsPerHour: Double
        let dollars: Double
    }

    let parametersTotal: Int
    let parametersActive: Int
    let flopsPerToken: Double
    let denseFlopsPerToken: Double
    let denseRatio: Double
    let cacheBytesPerToken: Int
    let expandedCacheBytesPerToken: Int
    let weightBytesPerToken: Double
    let weightBytesPerTokenAlone: Double
    let watts: Double?
    let tokensPerJoule: Double?
    let currency: String
    let pricePerHour: Double?
    let tokensPerUnitOfMoney: Double?
    let pricePerMillionTokens: Double?
    let training: Training

    init(_ plan: ClusterPlan) {
        let economics = Economics(plan)
        let budget = TrainingBudget()
        parametersTotal = economics.parameterCount
        parametersActive = economics.activeParameterCount
        flopsPerToken = economics.flopsPerToken
        denseFlopsPerToken = economics.denseFlopsPerToken
        denseRatio = economics.denseRatio
        cacheBytesPerToken = economics.cacheBytesPerToken
        expandedCacheBytesPerToken = economics.expandedBytesPerToken
        weightBytesPerToken = economics.weightBytesPerToken
        weightBytesPerTokenAlone = economics.weightBytesPerTokenAlone
        watts = economics.watts
        tokensPerJoule = economics.tokensPerJoule
        currency = plan.hosts.currency
        pricePerHour = economics.pricePerHour
        tokensPerUnitOfMoney = economics.tokensPerMoney
        pricePerMillionTokens = economics.pricePerMillionTokens
        training = Training(
            h800Hours: budget.hours, dollarsPerHour: budget.dollarsPerHour,
            dollars: budget.dollars)
    }
}

extension PlanReport {
    /// What a simulated load saw, with the result names of `skein bench serve`.
    struct Simulation: Encodable {
        let completed: Int
        let refused: Int
        let duration: Double
        let requestRate: Double?
        let maxConcurrency: Int?
        let requestThroughput: Double
        let outputThroughput: Double
        let totalTokenThroughput: Double
        let meanTtftMs: Double
        let medianTtftMs: Double
        let p90TtftMs: Double
        let p99TtftMs: Double
        let meanTpotMs: Double
        let medianTpotMs: Double
        let p90TpotMs: Double
        let p99TpotMs: Double
        let meanE2elMs: Double
        let medianE2elMs: Double
        let p90E2elMs: Double
        let p99E2elMs: Double
        let bubbleShare: Double
        let meanDecodeRows: Double
        let decodeMicroBatches: Int
        let preemptions: Int
        let events: Int

        init(_ report: SimulationReport, load: SimulatedLoad, plan: ClusterPlan) {
            completed = report.completedCount
            refused = report.refusedCount
            duration = report.seconds
            requestRate = load.requestRate
            maxConcurrency = load.concurrencyMax
            requestThroughput = report.requestsPerSecond
            outputThroughput = report.outputTokensPerSecond
            totalTokenThroughput = report.totalTokensPerSecond
            meanTtftMs = report.timeToFirstToken.mean * 1_000
            medianTtftMs = report.timeToFirstToken.median * 1_000
            p90TtftMs = report.timeToFirstToken.p90 * 1_000
            p99TtftMs = report.timeToFirstToken.p99 * 1_000
            meanTpotMs = report.timePerToken.mean * 1_000
            medianTpotMs = report.timePerToken.median * 1_000
            p90TpotMs = report.timePerToken.p90 * 1_000
            p99TpotMs = report.timePerToken.p99 * 1_000
            meanE2elMs = report.endToEnd.mean * 1_000
            medianE2elMs = report.endToEnd.median * 1_000
            p90E2elMs = report.endToEnd.p90 * 1_000
            p99E2elMs = report.endToEnd.p99 * 1_000
            bubbleShare = report.bubbleShare(ofHosts: plan.ring.nodeHosts)
            meanDecodeRows = report.meanDecodeRowCount
            decodeMicroBatches = report.decodeMicroBatchCount
            preemptions = report.preemptionCount
            events = report.eventCount
        }
    }
}
