// The parts of config.json that are more than one key: experts, rotary numbers, FP8, indexer.

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
        let isV2 = family == .deepseekV2
        let hasSharedKey = reader.fields["n_shared_experts"] != nil
        let routing = Routing(
            expertCount: expertCount,
            sharedExpertCount: try reader.integer(
                "n_shared_experts", in: 0...Limits.expertsMax, default: hasSharedKey ? 0 : nil),
            expertsPerTokenCount: try reader.integer("num_experts_per_tok", in: 1...expertCount),
            groupCount: try reader.integer("n_group", in: 1...expertCount, default: 1),
            keptGroupCount: try reader.integer("topk_group", in: 1...expertCount, default: 1),
            method: try reader.choice(
                "topk_method", default: isV2 ? RoutingMethod.greedy : .noAuxiliaryLoss),
            scoring: try reader.choice("scoring_func", default: isV2 ? Scoring.softmax : .sigmoid),
            normalizesWeights: try reader.flag("norm_topk_prob", default: !isV2),
            scalingFactor: Float(
                try reader.number(
                    "routed_scaling_factor", in: 1e-6...1e6, default: isV2 ? 1 : 2.5)),
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
        if let (key, value) = try section.value(["attention_factor"]) {
            throw section.refusal(key, "found \(value.summary); the key is not supported")
        }
        let yarn = Yarn(
            factor: try section.number("factor", in: 1...1e6),
            originalPositionCount: try section.integer(
                "original_max_position_embeddings", in: 1...Limits.positionsMax),
            betaFast: try section.number("beta_fast", in: 1e-6...1e6, default: 32),
            betaSlow: try section.number("beta_slow", in: 1e-6...1e6, default: 1),
            mscale: try section.optionalNumber("mscale", in: 0...100),
            mscaleAllDim: try section.optionalNumber("mscale_all_dim", in: 0...100))
        guard yarn.betaSlow <= yarn.betaFast else {
            throw section.refusal(
                "beta_slow", "found \(yarn.betaSlow), expected at most beta_fast \(yarn.betaFast)")
        }
        return yarn
    }

    /// Which weights are read, for refusals of those that are not.
    public static let readFormats =
        "Skein reads weights in BF16 and in FP8 with block scales (quant_method \"fp8\"), as "
        + "published, and makes INT8 of them itself (--weights int8)"

    /// The method of a section that older tools wrote without its name.
    private static func unnamedMethod(_ section: ConfigurationReader) -> String? {
        let isBitsAndBytes = ["load_in_4bit", "load_in_8bit"].contains { section.fields[$0] != nil }
        if isBitsAndBytes { return "bitsandbytes" }
        return section.fields["bits"] == nil ? nil : "GPTQ, AWQ or MLX"
    }

    static func quantization(in reader: ConfigurationReader) throws(Refusal) -> Quantization? {
        if try reader.object("quantization") != nil {
            throw reader.refusal("quantization", "the weights are quantized by MLX; \(readFormats)")
        }
        guard let section = try reader.object("quantization_config") else { return nil }
        let method = try section.text("quant_method", default: unnamedMethod(section))
        guard method == "fp8" else {
            throw section.refusal("quant_method", "found \"\(method)\"; \(readFormats)")
        }
        try section.expect("fmt", .string("e4m3"))
        try section.expect("activation_scheme", .string("dynamic"))
        guard let (key, value) = try section.value(["weight_block_size"]) else {
            throw section.refusal("weight_block_size", "the key is missing, expected two numbers")
        }
        let bounds = 1...Limits.intermediateSizeMax
        guard case .array(let sizes) = value, sizes.count == 2,
            let rows = sizes[0].integer, let columns = sizes[1].integer,
            bounds.contains(rows), bounds.contains(columns)
        else {
            throw section.refusal(
                key, "found \(value.summary), expected two whole numbers above 0")
        }
        let format = try section.text("scale_fmt", default: "float32")
        guard ["ue8m0", "float32", "float", "fp32"].contains(format) else {
            throw section.refusal("scale_fmt", "found \"\(format)\"; only \"ue8m0\" is known")
        }
        return Quantization(
            blockRowCount: rows, blockColumnCount: columns,
            scalesArePowersOfTwo: format == "ue8m0")
    }

    static func indexer(
        in reader: ConfigurationReader, family: Family, queryRank: Int?, ropeSize: Int
    ) throws(Refusal) -> Indexer? {
        // A file with an indexer is sparse whatever it calls itself.
        let isIndexed = try reader.value(["index_topk"]) != nil
        guard family == .deepseekV32 || isIndexed else { return nil }
        guard queryRank != nil else {
            throw reader.refusal("q_lora_rank", "absent, but the indexer reads the query latent")
        }
        return Indexer(
            headCount: try reader.integer("index_n_heads", in: 1...Limits.headsMax, default: 64),
            headSize: try reader.integer(
                "index_head_dim", in: ropeSize...max(ropeSize, Limits.headSizeMax), default: 128),
            topK: try reader.integer("index_topk", in: 1...Limits.positionsMax, default: 2_048))
    }
}
