/// The model's shape, as `config.json` states it (specification section 1).
public struct ModelConfiguration: Equatable, Sendable {
    /// Which published family the names and defaults follow.
    public enum Family: String, Sendable {
        case deepseekV2 = "deepseek_v2"
        case deepseekV3 = "deepseek_v3"
        case deepseekV32 = "deepseek_v32"
        case kimiK2 = "kimi_k2"
        case glm4MoeLite = "glm4_moe_lite"
    }

    /// How the gate turns scores into chosen experts (specification section 3.8).
    public enum RoutingMethod: String, Sendable {
        case greedy
        case groupLimitedGreedy = "group_limited_greedy"
        case noAuxiliaryLoss = "noaux_tc"
    }

    /// How the gate turns logits into scores.
    public enum Scoring: String, Sendable {
        case softmax
        case sigmoid
    }

    /// YaRN's numbers (specification section 3.6).
    public struct Yarn: Equatable, Sendable {
        public var factor: Double
        public var originalPositionCount: Int
        public var betaFast: Double
        public var betaSlow: Double
        public var mscale: Double?
        public var mscaleAllDim: Double?
    }

    /// Block-scaled FP8 weights (specification section 2.5).
    public struct Quantization: Equatable, Sendable {
        public var blockRowCount: Int
        public var blockColumnCount: Int
        /// Whether the scales are powers of two.
        public var scalesArePowersOfTwo: Bool
    }

    /// The lightning indexer of V3.2 (specification section 6).
    public struct Indexer: Equatable, Sendable {
        public var headCount: Int
        public var headSize: Int
        public var topK: Int
    }

    /// The routed experts of a MoE layer.
    public struct Routing: Equatable, Sendable {
        public var expertCount: Int
        public var sharedExpertCount: Int
        public var expertsPerTokenCount: Int
        public var groupCount: Int
        public var keptGroupCount: Int
        public var method: RoutingMethod
        public var scoring: Scoring
        public var normalizesWeights: Bool
        public var scalingFactor: Float
        public var expertIntermediateSize: Int
    }

    public var family: Family
    public var vocabularySize: Int
    public var hiddenSize: Int
    public var intermediateSize: Int
    public var layerCount: Int
    public var headCount: Int
    /// `nil` where queries are projected at once (`q_proj`).
    public var queryLoraRank: Int?
    public var kvLoraRank: Int
    public var qkNopeHeadSize: Int
    public var qkRopeHeadSize: Int
    public var valueHeadSize: Int
    /// One entry a main layer: whether it is a MoE layer.
    public var layerIsMixture: [Bool]
    /// `nil` for a dense model.
    public var routing: Routing?
    public var ropeTheta: Double
    public var ropeIsInterleaved: Bool
    public var yarn: Yarn?
    public var positionCountMax: Int
    /// Epsilon of the input, post-attention and final norms.
    public var normEpsilon: Float
    /// Epsilon of the latent norms: always 1e-6 (specification section 3.2).
    public var latentNormEpsilon: Float
    public var hasAttentionBias: Bool
    public var tiesWordEmbeddings: Bool
    public var nextTokenLayerCount: Int
    public var quantization: Quantization?
    public var indexer: Indexer?
    public var beginToken: TokenID?
    public var endTokens: [TokenID]

    /// Width of a cached row: latent then rope key.
    public var latentRowWidth: Int { kvLoraRank + qkRopeHeadSize }
}
