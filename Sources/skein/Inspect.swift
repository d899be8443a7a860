import ArgumentParser
import Foundation
import SkeinCluster
import SkeinCore
import SkeinWeights

/// Says what a model is and what it needs, before anything is loaded.
struct Inspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says what a model is and needs: parameters, FLOPs, cache, bytes a slice.")

    @OptionGroup var model: ModelOption

    @Option(help: "A config.json, where there is no checkpoint yet.")
    var config: String?

    @Option(help: "Nodes that share the layers.")
    var stages = 1

    @Option(help: "How slices lie on nodes: linear or vfold.")
    var placement: PlacementKind = .linear

    @Option(
        name: .customLong("context"),
        help: "Positions in the latent cache (default: what the model allows).")
    var contextPositions: Int?

    @Option(help: "In which form the latent cache keeps its rows: bf16 or fp8.")
    var latents: LatentForm = .bf16

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard config == nil || model.path == nil else {
            throw ValidationError("expected one of --model and --config")
        }
        guard (1...Limits.nodesMax).contains(stages) else {
            throw ValidationError("--stages: expected 1 to \(Limits.nodesMax), found \(stages)")
        }
        if let contextPositions, !(1...Limits.positionsMax).contains(contextPositions) {
            throw ValidationError("--context: expected 1 to \(Limits.positionsMax)")
        }
    }

    func run() async throws {
        let report = try InspectReport(self)
        if json { return try Console.json(report) }
        try Console.standardOutput(report.text)
    }
}

/// What `inspect` tells.
struct InspectReport: Encodable {
    struct NodeNeed: Encodable {
        let node: Int
        let slices: [String]
        let weightBytes: Int
        let cacheBytes: Int
        let overheadBytes: Int
        let totalBytes: Int
    }

    let architecture: String
    let layers: Int
    let hiddenSize: Int
    let vocabularySize: Int
    let routedExperts: Int?
    let expertsPerToken: Int?
    let parametersTotal: Int
    let parametersActive: Int
    let parametersNextToken: Int
    let flopsPerToken: Int
    let latents: String
    let cacheBytesPerToken: Int
    let expandedCacheBytesPerToken: Int
    let weightBytes: Int
    let diskBytes: Int
    let fingerprint: String?
    let contextPositions: Int
    let placement: String
    let nodes: [NodeNeed]

    init(_ command: Inspect) throws {
        let checkpoint = command.config == nil ? try Checkpoint.open(command.model.folder()) : nil
        let shape: ModelConfiguration
        if let checkpoint {
            shape = checkpoint.configuration
        } else {
            let path = command.config ?? ""
            shape = try ModelConfiguration(json: TextFile.bytes(path), subject: path)
        }
        let arithmetic = ModelArithmetic(shape, latents: command.latents)
        architecture = shape.family.rawValue
        layers = shape.layerCount
        hiddenSize = shape.hiddenSize
        vocabularySize = shape.vocabularySize
        routedExperts = shape.routing?.expertCount
        expertsPerToken = shape.routing?.expertsPerTokenCount
        parametersTotal = arithmetic.main.parameterCount
        parametersActive = arithmetic.activeParameterCount
        parametersNextToken = arithmetic.nextTokenLayers.parameterCount
        flopsPerToken = arithmetic.flopsPerToken
        latents = command.latents.rawValue
        cacheBytesPerToken = arithmetic.latentBytesPerToken()
        expandedCacheBytesPerToken = arithmetic.expandedBytesPerToken
        weightBytes = arithmetic.main.totalBytes
        diskBytes = arithmetic.published.totalBytes
        fingerprint = try checkpoint?.fingerprint()
        contextPositions = min(
            command.contextPositions ?? shape.positionCountMax, shape.positionCountMax)
        placement = command.placement.rawValue
        let layout = ClusterLayout(
            nodeCount: command.stages, kind: command.placement,
            positionCountMax: contextPositions)
        let slices = try layout.slices(of: shape)
        nodes = try (0..<command.stages).map { node in
            let mine = layout.slices(ofNode: node, in: slices)
            let bytes = try checkpoint.map {
                try $0.verify(WeightPlan(configuration: shape, slices: mine)).totalBytes
            }
            let need = arithmetic.memory(
                of: mine, pageCount: layout.pageCount, weightBytes: bytes,
                activationRowCount: layout.prefillRowsMax)
            return NodeNeed(
                node: node, slices: mine.map(\.text), weightBytes: need.weightBytes,
                cacheBytes: need.latentBytes, overheadBytes: need.fixedBytes + need.activationBytes,
                totalBytes: need.totalBytes)
        }
    }

    /// The report for people.
    var text: String {
        var lines = [
            "architecture   \(architecture), \(layers) layers of \(hiddenSize), "
                + "vocabulary \(vocabularySize)"
        ]
        if let routedExperts, let expertsPerToken {
            lines.append("experts        \(routedExperts) routed, \(expertsPerToken) a token")
        }
        let ratio = Double(expandedCacheBytesPerToken) / Double(max(1, cacheBytesPerToken))
        lines += [
            "parameters     \(grouped(parametersTotal)) in all, "
                + "\(grouped(parametersActive)) active a token"
                + (parametersNextToken > 0
                    ? ", \(grouped(parametersNextToken)) for multi-token prediction" : ""),
            "arithmetic     \(grouped(flopsPerToken)) FLOP a token, attention apart",
            "latent cache   \(grouped(cacheBytesPerToken)) B a token in \(latents), "
                + String(format: "%.1f times less than keys and values", ratio),
            "weights        \(ByteText(weightBytes)) (\(ByteText(diskBytes)) on disk)",
        ]
        if let fingerprint { lines.append("fingerprint    \(fingerprint.prefix(16))") }
        lines.append("")
        lines.append("\(nodes.count) node(s), \(placement), \(contextPositions) positions:")
        for node in nodes {
            lines.append(
                "  node \(node.node)   \(node.slices.joined(separator: " and "))   "
                    + "weights \(ByteText(node.weightBytes))   "
                    + "cache \(ByteText(node.cacheBytes))   "
                    + "program \(ByteText(node.overheadBytes))   "
                    + "total \(ByteText(node.totalBytes))")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func grouped(_ number: Int) -> String {
        var digits = String(number)
        var place = digits.count - 3
        while place > 0 {
            digits.insert(",", at: digits.index(digits.startIndex, offsetBy: place))
            place -= 3
        }
        return digits
    }
}

extension Slice {
    /// For people: `embedding, layers 0 to 2`.
    var text: String {
        let last = layers.upperBound - 1
        let middle =
            layers.count == 1 ? "layer \(last)" : "layers \(layers.lowerBound) to \(last)"
        return (holdsEmbedding ? "embedding, " : "") + middle + (holdsHead ? ", head" : "")
    }
}
