extension ModelConfiguration {
    /// What one family does otherwise than the others where its file says nothing: one row each.
    struct FamilyTraits {
        /// Names in `architectures`.
        let architectures: [String]
        /// Sizes that a file may leave out; `nil` where it must state them.
        var sizes: Sizes? = .deepseekV3
        /// Dense layers before the first MoE layer.
        var denseLayerCount = 3
        var method: RoutingMethod = .noAuxiliaryLoss
        var scoring: Scoring = .sigmoid
        var normalizesWeights = true
        /// Whether the factor on chosen weights applies to weights divided by their sum, too.
        var scalesNormalizedWeights = true
        var scalingFactor = 2.5
        var normEpsilon = 1e-6
        /// The indexer that it has whatever the file says.
        var indexer: IndexerTraits?
        /// Whether a multi-token-prediction layer repeats embedding and head in published files.
        var repeatsEmbedding = true
        /// Whether the matrices down to the latents stay BF16 in its FP8 release.
        var keepsLatentDown = false

        /// Sizes of a family's classes.
        struct Sizes {
            var vocabulary: Int
            var latent = 512
            var nope = 128
            var rope = 64
            var value = 128
            var positions: Int

            static let deepseekV2 = Sizes(vocabulary: 102_400, positions: 2_048)
            static let deepseekV3 = Sizes(vocabulary: 129_280, positions: 4_096)
        }

        /// Sizes of an indexer, and how it rotates.
        struct IndexerTraits {
            var headCount: Int
            var isInterleaved: Bool
        }
    }
}

extension ModelConfiguration.Family {
    /// What the family does otherwise.
    var traits: ModelConfiguration.FamilyTraits {
        switch self {
        case .deepseekV2:
            .init(
                architectures: ["DeepseekV2ForCausalLM"], sizes: .deepseekV2, denseLayerCount: 0,
                method: .greedy, scoring: .softmax, normalizesWeights: false,
                scalesNormalizedWeights: false, scalingFactor: 1)
        case .deepseekV3: .init(architectures: ["DeepseekV3ForCausalLM"])
        case .deepseekV32:
            .init(
                architectures: ["DeepseekV32ForCausalLM"],
                indexer: .init(headCount: 64, isInterleaved: false))
        case .kimiK2: .init(architectures: ["KimiK2ForCausalLM"])
        // The released GLM files differ from the class defaults of the others; nothing is guessed.
        case .glm4MoeLite:
            .init(architectures: ["Glm4MoeLiteForCausalLM"], sizes: nil, denseLayerCount: 1)
        case .glmMoeDsa:
            .init(
                architectures: ["GlmMoeDsaForCausalLM"], sizes: nil, normEpsilon: 1e-5,
                indexer: .init(headCount: 32, isInterleaved: true), repeatsEmbedding: false)
        case .mistralLarge3:
            .init(
                architectures: [], sizes: nil, method: .greedy, scoring: .softmax,
                scalingFactor: 1, keepsLatentDown: true)
        }
    }

    /// Whether a multi-token-prediction layer repeats embedding and head in published files.
    public var repeatsEmbedding: Bool { traits.repeatsEmbedding }

    /// Whether the matrices down to the latents stay BF16 where others are FP8.
    public var keepsLatentDown: Bool { traits.keepsLatentDown }

    /// Types whose layers are of another kind, though their names are near.
    static let otherArchitectures = ["glm5_next", "kimi_k3", "deepseek_v4", "mistral4"]

    /// Finds the family that a file names, of its language model and of all of it.
    ///
    /// - Parameter outer: the file where the language model's keys are in an inner object.
    init(
        in reader: ConfigurationReader, outer: ConfigurationReader
    ) throws(Refusal) {
        for some in [outer, reader] {
            guard let name = some.fields["model_type"]?.string,
                Self.otherArchitectures.contains(name)
            else { continue }
            throw some.refusal(
                "model_type",
                "\"\(name)\" is another architecture than DeepSeek's, which Skein does not run")
        }
        if try reader.value(["model_type"]) != nil {
            let name = try reader.text("model_type")
            if let family = Self(rawValue: name) {
                self = family
                return
            }
            // The very first V2 upload. The older DeepSeekMoE 16B has this name too, but no latent.
            guard name == "deepseek", try reader.value(["kv_lora_rank"]) != nil else {
                throw Self.unknown(reader, "model_type", name)
            }
            self = .deepseekV2
            return
        }
        guard let (_, value) = try reader.value(["architectures"]) else {
            throw reader.refusal("model_type", "the key is missing, and so is architectures")
        }
        guard let name = value.array?.first?.string else {
            throw reader.refusal(
                "architectures", "found \(value.summary), expected a list with a name")
        }
        guard let family = Self.allCases.first(where: { $0.traits.architectures.contains(name) })
        else { throw Self.unknown(reader, "architectures", name) }
        self = family
    }

    private static func unknown(
        _ reader: ConfigurationReader, _ key: String, _ name: String
    ) -> Refusal {
        let known = allCases.map(\.rawValue).joined(separator: ", ")
        return reader.refusal(key, "found \"\(name)\", which is none of \(known)")
    }
}
