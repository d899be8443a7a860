// The parts of config.json that are more than one key: experts and rotary numbers.

extension ModelConfiguration {
    static func routing(
        in reader: ConfigurationReader, family: Family
    ) throws(Refusal) -> Routing? {
        let countKeys = ["n_routed_experts", "num_experts", "num_local_experts"]
        guard try reader.value(countKeys) != nil else {
            // A published dense model says null; a file that speaks of remote experts is torn.
            let isNull = countKeys.contains { reader.fields[$0] == .null }
            guard isNull || reader.fields["num_experts_per_tok"] == nil else {
                throw reader.refusal(
                    countKeys[0], "the key is missing, though num_experts_per_tok is there")
            }
            return nil
        }
        let expertCount = try reader.integer(
            "n_routed_experts", "num_experts", "num_local_experts", in: 1...Limits.expertsMax)
        let traits = family.traits
        let hasSharedKey = reader.fields["n_shared_experts"] != nil
        let routing = Routing(
            expertCount: expertCount,
            sharedExpertCount: try reader.integer(
                "n_shared_experts", in: 0...Limits.expertsMax, default: hasSharedKey ? 0 : nil),
            expertsPerTokenCount: try reader.integer("num_experts_per_tok", in: 1...expertCount),
            groupCount: try reader.integer("n_group", in: 1...expertCount, default: 1),
            keptGroupCount: try reader.integer("topk_group", in: 1...expertCount, default: 1),
            method: try reader.choice("topk_method", default: traits.method),
            scoring: try reader.choice("scoring_func", default: traits.scoring),
            normalizesWeights: try reader.flag(
                "norm_topk_prob", default: traits.normalizesWeights),
            scalingFactor: Float(
                try reader.number(
                    "routed_scaling_factor", in: 1e-6...1e6, default: traits.scalingFactor)),
            scalesNormalizedWeights: traits.scalesNormalizedWeights,
            expertIntermediateSize: try reader.integer(
                "moe_intermediate_size", in: 1...Limits.intermediateSizeMax))
        try check(routing, in: reader)
        return routing
    }

    /// Refuses what a gate could not carry out, or only by guessing.
    private static func check(
        _ routing: Routing, in reader: ConfigurationReader
    ) throws(Refusal) {
        let isSigmoid = routing.scoring == .sigmoid
        guard isSigmoid == (routing.method == .noAuxiliaryLoss) else {
            throw reader.refusal(
                "scoring_func",
                "\"\(routing.scoring.rawValue)\" together with topk_method "
                    + "\"\(routing.method.rawValue)\" is not supported")
        }
        guard
            routing.sharedExpertCount * routing.expertIntermediateSize
                <= Limits.intermediateSizeMax
        else {
            throw reader.refusal(
                "n_shared_experts",
                "\(routing.sharedExpertCount) times \(routing.expertIntermediateSize) is wider "
                    + "than \(Limits.intermediateSizeMax)")
        }
        let layerCount = try reader.integer("num_hidden_layers", in: 1...Limits.layersMax)
        guard layerCount * routing.expertCount <= Limits.layerExpertsMax else {
            throw reader.refusal(
                "n_routed_experts",
                "\(routing.expertCount) in each of \(layerCount) layers, expected at most "
                    + "\(Limits.layerExpertsMax) in all")
        }
        // `greedy` chooses among all experts whatever the file says about groups.
        guard routing.method != .greedy else { return }
        guard routing.expertCount.isMultiple(of: routing.groupCount) else {
            throw reader.refusal(
                "n_group",
                "\(routing.groupCount) groups do not divide \(routing.expertCount) experts")
        }
        guard routing.keptGroupCount <= routing.groupCount else {
            throw reader.refusal(
                "topk_group",
                "found \(routing.keptGroupCount), expected at most n_group \(routing.groupCount)")
        }
        let groupSize = routing.expertCount / routing.groupCount
        guard routing.groupCount == 1 || routing.method != .noAuxiliaryLoss || groupSize >= 2 else {
            throw reader.refusal(
                "n_group", "groups of one expert have no two best experts to be judged by")
        }
        let keptCount = groupSize * routing.keptGroupCount
        guard routing.expertsPerTokenCount <= keptCount else {
            throw reader.refusal(
                "num_experts_per_tok",
                "found \(routing.expertsPerTokenCount), but the kept groups have \(keptCount)")
        }
    }

    static func rotary(
        in reader: ConfigurationReader
    ) throws(Refusal) -> (theta: Double, yarn: Yarn?) {
        let bases = 1.001...1e15
        let newer = try reader.object("rope_parameters")
        let older = try reader.object("rope_scaling")
        guard let section = newer ?? older else {
            return (try reader.number("rope_theta", in: bases, default: 10_000), nil)
        }
        var theta = try reader.number("rope_theta", in: bases, default: 10_000)
        if try section.value(["rope_theta"]) != nil {
            let inner = try section.number("rope_theta", in: bases)
            if try reader.value(["rope_theta"]) != nil, inner != theta {
                throw section.refusal("rope_theta", "found \(inner) here and \(theta) outside")
            }
            theta = inner
        }
        try reader.expect("partial_rotary_factor", .integer(1))
        try section.expect("partial_rotary_factor", .integer(1))
        if let newer, let older, try yarn(in: newer) != yarn(in: older) {
            throw reader.refusal("rope_parameters", "contradicts rope_scaling")
        }
        return (theta, try yarn(in: section))
    }

    private static func yarn(in section: ConfigurationReader) throws(Refusal) -> Yarn? {
        let kind = try section.text("rope_type", "type", default: "default")
        switch kind {
        case "default", "none": return nil
        case "yarn": break
        default:
            throw section.refusal(
                "rope_type", "found \"\(kind)\"; only \"yarn\" and \"default\" are supported")
        }
        try section.expect("truncate", .bool(true))
        let yarn = Yarn(
            factor: try section.number("factor", in: 1...1e6),
            originalPositionCount: try section.integer(
                "original_max_position_embeddings", in: 1...Limits.positionsMax),
            betaFast: try section.number("beta_fast", in: 1e-6...1e6, default: 32),
            betaSlow: try section.number("beta_slow", in: 1e-6...1e6, default: 1),
            mscale: try section.optionalNumber("mscale", in: 0...100),
            mscaleAllDim: try section.optionalNumber("mscale_all_dim", in: 0...100),
            attentionFactor: try section.optionalNumber("attention_factor", in: 1e-3...1e3))
        guard yarn.betaSlow <= yarn.betaFast else {
            throw section.refusal(
                "beta_slow", "found \(yarn.betaSlow), expected at most beta_fast \(yarn.betaFast)")
        }
        return yarn
    }

    static func queryGrowth(in reader: ConfigurationReader) throws(Refusal) -> QueryGrowth? {
        guard let section = try reader.object("llama_4_scaling") else { return nil }
        // The spellings of a params.json are those of its yarn, not of this object.
        let plain = ConfigurationReader(fields: section.fields, subject: section.subject)
        return QueryGrowth(
            beta: try plain.number("beta", in: 0...100),
            originalPositionCount: try plain.integer(
                "original_max_position_embeddings", in: 1...Limits.positionsMax))
    }
}
