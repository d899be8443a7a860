import Foundation
import SkeinCluster
import SkeinCore
import SkeinMembership
import SkeinTensor
import SkeinText
import SkeinWeights

/// What `inspect` tells.
struct InspectReport: Encodable {
    /// Layers that follow each other, both ends included.
    struct Layers: Encodable {
        let firstLayer: Int
        let lastLayer: Int
    }

    struct NodeNeed: Encodable {
        let node: Int
        let name: String
        let slices: [String]
        let experts: [ReportedExperts]
        /// Routed experts of any layer that it holds, those of its slices included.
        let heldExperts: Int
        let heldExpertBytes: Int
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
    let expertLayers: [Layers]
    let expertBytes: Int?
    let layerExpertBytes: Int?
    let parametersTotal: Int
    let parametersActive: Int
    let parametersNextToken: Int
    let flopsPerToken: Int
    let latents: String
    let cacheBytesPerToken: Int
    let expandedCacheBytesPerToken: Int
    /// Positions that a row attends to at most; absent where it attends to all.
    let attendedPositionsMax: Int?
    let weightBytes: Int
    let diskBytes: Int
    let fingerprint: String?
    /// Tensors of the part that sees, which take no part; absent where there are none.
    let visionTensors: Int?
    /// How conversations are written; absent where nothing tells, or the folder has no tokenizer.
    let chatFormat: String?
    /// Why that format was taken.
    let chatFormatSource: String?
    /// A word about a template that is not known.
    let chatRemark: String?
    let contextPositions: Int
    let placement: String
    let nodes: [NodeNeed]
    /// Bytes that a process may take here, within the limits of its container.
    let machineAvailableBytes: Int?
    /// Cores that a process may use here, within the limits of its container.
    let machineCores: Int

    init(
        _ shape: ModelConfiguration, checkpoint: Checkpoint?, text setup: TextSetup?,
        _ layout: InspectedLayout
    ) throws(Refusal) {
        let arithmetic = ModelArithmetic(shape, serving: layout.serving)
        architecture = shape.family.rawValue
        layers = shape.layerCount
        hiddenSize = shape.hiddenSize
        vocabularySize = shape.vocabularySize
        routedExperts = shape.routing?.expertCount
        expertsPerToken = shape.routing?.expertsPerTokenCount
        let mixtures = shape.layerIsMixture.indices.filter { shape.layerIsMixture[$0] }
        expertLayers = RangeSet(mixtures.map { $0..<$0 + 1 }).ranges.map {
            Layers(firstLayer: $0.lowerBound, lastLayer: $0.upperBound - 1)
        }
        expertBytes = shape.routing.map { _ in arithmetic.routedExpert.totalBytes }
        layerExpertBytes = shape.routing.map {
            $0.expertCount * arithmetic.routedExpert.totalBytes
        }
        parametersTotal = arithmetic.main.parameterCount
        parametersActive = arithmetic.activeParameterCount
        parametersNextToken = arithmetic.nextTokenLayers.parameterCount
        flopsPerToken = arithmetic.flopsPerToken
        latents = layout.serving.latentForm.rawValue
        cacheBytesPerToken = arithmetic.cacheBytesPerToken()
        expandedCacheBytesPerToken = arithmetic.expandedBytesPerToken
        attendedPositionsMax = shape.indexer?.topK
        weightBytes = arithmetic.main.totalBytes
        diskBytes = arithmetic.published.totalBytes
        fingerprint = try checkpoint?.fingerprint()
        let seeing = checkpoint?.visionTensorCount ?? 0
        visionTensors = seeing == 0 ? nil : seeing
        chatFormat = setup?.chatFormat?.format.rawValue
        chatFormatSource = setup?.chatFormat?.source
        chatRemark = setup?.chatRemark
        contextPositions = layout.serving.positionCount
        placement = layout.placement.kind.rawValue
        var nodes: [NodeNeed] = []
        for name in layout.placement.nodes {
            nodes.append(
                try Self.need(of: name, number: nodes.count, layout, arithmetic, checkpoint))
        }
        self.nodes = nodes
        machineAvailableBytes = MachineMemory.now().availableBytes
        machineCores = MachineCores.usableCount
    }

    private static func need(
        of name: String, number: Int, _ layout: InspectedLayout, _ arithmetic: ModelArithmetic,
        _ checkpoint: Checkpoint?
    ) throws(Refusal) -> NodeNeed {
        let shape = arithmetic.configuration
        let counts = shape.layerExpertCounts
        let placement = layout.placement
        let slices = placement.stages(of: name).map(\.slice)
        let held = placement.distribution.held(
            slices: slices, host: placement.expertHosts.firstIndex { $0.node == name },
            expertCounts: counts)
        // Of layers that are not named in `held` a node has all experts, or it has not the layer.
        let own = Set(slices.flatMap(\.layers))
        let heldCount =
            own.filter { held.ranges[$0] == nil }.reduce(0) { $0 + counts[$1] }
            + held.ranges.values.joined().reduce(0) { $0 + $1.count }
        let remoteCount = own.reduce(0) { $0 + counts[$1] } - heldCount
        let expertBytes = arithmetic.routedExpert.totalBytes
        let weightBytes =
            try checkpoint.map { checkpoint throws(Refusal) in
                try checkpoint.verify(
                    checkpoint.plan(of: slices, held: held, serving: layout.serving)
                ).totalBytes
            }
            ?? arithmetic.weights(of: slices).totalBytes - remoteCount * expertBytes
        let need = arithmetic.memory(
            of: slices, pageCount: layout.serving.pageCount, weightBytes: weightBytes,
            activationRowCount: layout.serving.prefillRowsMax)
        return NodeNeed(
            node: number, name: name, slices: slices.map(\.text),
            experts: placement.shard(of: name).map {
                ReportedExperts(layers: $0.layers, experts: $0.experts)
            },
            heldExperts: heldCount, heldExpertBytes: heldCount * expertBytes,
            weightBytes: need.weightBytes, cacheBytes: need.latentBytes,
            overheadBytes: need.fixedBytes + need.activationBytes, totalBytes: need.totalBytes)
    }

    /// The report for people.
    var text: String {
        var lines = [
            "architecture   \(architecture), \(layers) layers of \(hiddenSize), "
                + "vocabulary \(vocabularySize)"
        ]
        if let routedExperts, let expertsPerToken, let expertBytes, let layerExpertBytes {
            let layers = expertLayers.map { Self.text($0.firstLayer, $0.lastLayer) }
            lines += [
                "experts        \(routedExperts) routed, \(expertsPerToken) a token, in layers "
                    + layers.joined(separator: ", "),
                "               \(ByteText(expertBytes)) each, "
                    + "\(ByteText(layerExpertBytes)) a layer",
            ]
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
        ]
        if let attendedPositionsMax {
            lines.append(
                "attention      sparse: a row attends to \(grouped(attendedPositionsMax)) "
                    + "positions at most; index keys are in the cache")
        }
        lines.append("weights        \(ByteText(weightBytes)) (\(ByteText(diskBytes)) on disk)")
        if let fingerprint { lines.append("fingerprint    \(fingerprint.prefix(16))") }
        if let visionTensors {
            lines.append("vision         \(visionTensors) tensors are left alone; text is served")
        }
        if let chatFormat, let chatFormatSource {
            lines.append("chat format    \(chatFormat), by \(chatFormatSource)")
        }
        if let chatRemark { lines.append("               \(chatRemark)") }
        lines.append("")
        lines.append("\(nodes.count) node(s), \(placement), \(contextPositions) positions:")
        let hasShards = nodes.contains { !$0.experts.isEmpty }
        for node in nodes { lines.append(line(of: node, hasShards: hasShards)) }
        let available = machineAvailableBytes.map { "\(ByteText($0)) available, " } ?? ""
        lines.append("this machine   \(available)\(machineCores) core(s)")
        return lines.joined(separator: "\n") + "\n"
    }

    private func line(of node: NodeNeed, hasShards: Bool) -> String {
        let shard = node.experts.map {
            "experts \(Self.text($0.firstExpert, $0.lastExpert)) of layers "
                + Self.text($0.firstLayer, $0.lastLayer)
        }
        return "  \(node.name)   \((node.slices + shard).joined(separator: " and "))   "
            + "weights \(ByteText(node.weightBytes))   "
            + (hasShards
                ? "\(node.heldExperts) experts \(ByteText(node.heldExpertBytes))   " : "")
            + "cache \(ByteText(node.cacheBytes))   "
            + "program \(ByteText(node.overheadBytes))   "
            + "total \(ByteText(node.totalBytes))"
    }

    private static func text(_ first: Int, _ last: Int) -> String {
        first == last ? "\(first)" : "\(first)-\(last)"
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
