extension ModelConfiguration {
    /// Reads a `config.json` (specification section 1.1).
    ///
    /// Absent keys get the published defaults, unknown keys are ignored, and whatever Skein could
    /// only compute wrongly is refused.
    ///
    /// - Parameters:
    ///   - json: the file's bytes.
    ///   - subject: the file's name for refusals.
    public init(json: [UInt8], subject: String = "config.json") throws(Refusal) {
        guard json.count <= Limits.smallFileBytesMax else {
            throw Refusal(
                subject, "\(json.count) bytes, expected at most \(Limits.smallFileBytesMax)")
        }
        try self.init(parsed: JSONValue(parsing: json, subject: subject), subject: subject)
    }

    /// Reads an already parsed `config.json`.
    ///
    /// - Parameters:
    ///   - parsed: the document.
    ///   - subject: the file's name for refusals.
    public init(parsed: JSONValue, subject: String = "config.json") throws(Refusal) {
        guard let fields = parsed.fields else {
            throw Refusal(subject, "found \(parsed.summary), expected an object")
        }
        let outer: ConfigurationReader
        if MistralParameters.describes(fields) {
            let file = ConfigurationReader(fields: fields, subject: subject)
            let parameters = try MistralParameters(file)
            outer = ConfigurationReader(
                fields: parameters.fields, subject: subject, spellings: parameters.spellings)
        } else {
            outer = ConfigurationReader(fields: fields, subject: subject)
        }
        // Models with eyes (Kimi-K2.5) keep the language model's keys in an inner object.
        let nested = fields["hidden_size"] == nil ? try outer.object("text_config") : nil
        try self.init(nested ?? outer, outer: outer)
    }

    /// Reads the language model's keys.
    ///
    /// - Parameter outer: what they lie in, or the same.
    private init(
        _ reader: ConfigurationReader, outer: ConfigurationReader
    ) throws(Refusal) {
        let family = try Family(in: reader, outer: outer)
        try Self.refuseUnsupported(in: reader)
        let (traits, sizes) = (family.traits, family.traits.sizes)
        let widths = 1...Limits.hiddenSizeMax
        self.family = family
        vocabularySize = try reader.integer(
            "vocab_size", in: 1...Limits.vocabularyMax, default: sizes?.vocabulary)
        hiddenSize = try reader.integer("hidden_size", in: widths)
        layerCount = try reader.integer("num_hidden_layers", in: 1...Limits.layersMax)
        headCount = try reader.integer("num_attention_heads", in: 1...Limits.headsMax)
        let queryRank = try reader.integer("q_lora_rank", in: 0...widths.upperBound, default: 0)
        queryLoraRank = queryRank == 0 ? nil : queryRank
        kvLoraRank = try reader.integer("kv_lora_rank", in: widths, default: sizes?.latent)
        let headSizes = 1...Limits.headSizeMax
        qkNopeHeadSize = try reader.integer(
            "qk_nope_head_dim", in: headSizes, default: sizes?.nope)
        qkRopeHeadSize = try reader.integer(
            "qk_rope_head_dim", in: headSizes, default: sizes?.rope)
        valueHeadSize = try reader.integer("v_head_dim", in: headSizes, default: sizes?.value)
        guard qkRopeHeadSize.isMultiple(of: 2) else {
            throw reader.refusal(
                "qk_rope_head_dim", "found \(qkRopeHeadSize), expected an even number")
        }

        routing = try Self.routing(in: reader, family: family)
        layerIsMixture = try Self.mixtureLayers(
            in: reader, family: family, layerCount: layerCount, isMixture: routing != nil)
        let hasDenseLayer = layerIsMixture.contains(false)
        intermediateSize = try reader.integer(
            "intermediate_size", in: 1...Limits.intermediateSizeMax,
            default: hasDenseLayer ? nil : 1)

        (ropeTheta, yarn) = try Self.rotary(in: reader)
        queryGrowth = try Self.queryGrowth(in: reader)
        positionCountMax = try reader.integer(
            "max_position_embeddings", in: 1...Limits.positionsMax, default: sizes?.positions)
        normEpsilon = Float(
            try reader.number("rms_norm_eps", in: 1e-30...1, default: traits.normEpsilon))
        latentNormEpsilon = 1e-6
        tiesWordEmbeddings = try reader.flag("tie_word_embeddings", default: false)
        nextTokenLayerCount = try reader.integer(
            "num_nextn_predict_layers", "num_mtp_layers", in: 0...Limits.layersMax, default: 0)
        let inner = try Self.quantization(in: reader)
        quantization = if let inner { inner } else { try Self.quantization(in: outer) }
        indexer = try Self.indexer(
            in: reader, family: family, queryRank: queryLoraRank, ropeSize: qkRopeHeadSize,
            layerCount: layerCount)
        beginToken = try Self.beginToken(
            in: reader.fields["bos_token_id"] == nil ? outer : reader,
            vocabularySize: vocabularySize)
        endTokens = try Self.endTokens(
            in: reader.fields["eos_token_id"] == nil ? outer : reader,
            vocabularySize: vocabularySize)
    }

    private static func refuseUnsupported(in reader: ConfigurationReader) throws(Refusal) {
        try reader.expect("hidden_act", .string("silu"))
        try reader.expect("attention_bias", .bool(false))
        try reader.expect("mlp_bias", .bool(false))
        try reader.expect("use_qk_norm", .bool(false))
        try reader.expect("rope_interleave", .bool(true))
    }

    private static func mixtureLayers(
        in reader: ConfigurationReader, family: Family, layerCount: Int, isMixture: Bool
    ) throws(Refusal) -> [Bool] {
        let denseCount = try reader.integer(
            "first_k_dense_replace", in: 0...Limits.layersMax,
            default: family.traits.denseLayerCount)
        let frequency = try reader.integer("moe_layer_freq", in: 1...Limits.layersMax, default: 1)
        guard isMixture else { return Array(repeating: false, count: layerCount) }
        guard let (key, value) = try reader.value(["mlp_layer_types"]) else {
            return (0..<layerCount).map { $0 >= denseCount && $0.isMultiple(of: frequency) }
        }
        guard case .array(let types) = value, types.count == layerCount else {
            throw reader.refusal(
                key, "found \(value.summary), expected a list of \(layerCount), one a layer")
        }
        var layers: [Bool] = []
        for type in types {
            guard type == .string("dense") || type == .string("sparse") else {
                throw reader.refusal(
                    key, "found \(type.summary), expected \"dense\" or \"sparse\"")
            }
            layers.append(type == .string("sparse"))
        }
        return layers
    }

    private static func beginToken(
        in reader: ConfigurationReader, vocabularySize: Int
    ) throws(Refusal) -> TokenID? {
        guard try reader.value(["bos_token_id"]) != nil else { return nil }
        return TokenID(try reader.integer("bos_token_id", in: 0...(vocabularySize - 1)))
    }

    private static func endTokens(
        in reader: ConfigurationReader, vocabularySize: Int
    ) throws(Refusal) -> [TokenID] {
        guard let (key, value) = try reader.value(["eos_token_id"]) else { return [] }
        let values = if case .array(let values) = value { values } else { [value] }
        guard values.count <= Limits.endTokensMax else {
            throw reader.refusal(
                key, "found \(value.summary), expected at most \(Limits.endTokensMax)")
        }
        var tokens: [TokenID] = []
        for value in values {
            guard let token = value.integer, (0..<vocabularySize).contains(token) else {
                throw reader.refusal(
                    key, "found \(value.summary), expected tokens from 0 to \(vocabularySize - 1)")
            }
            tokens.append(TokenID(token))
        }
        return tokens
    }
}
