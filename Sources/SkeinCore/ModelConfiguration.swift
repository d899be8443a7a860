/// The model's shape, as `config.json` states it (specification section 1).
public struct ModelConfiguration: Equatable, Sendable {
    /// Which published family the names and defaults follow.
    public enum Family: String, Sendable, CaseIterable {
        /// DeepSeek V2 and V2-Lite; the first upload called itself `deepseek`.
        case deepseekV2 = "deepseek_v2"
        /// DeepSeek V3, R1 and V3.1; Moonlight.
        case deepseekV3 = "deepseek_v3"
        /// DeepSeek V3.2 with its lightning indexer.
        case deepseekV32 = "deepseek_v32"
        /// Kimi-K2: V3 under another name.
        case kimiK2 = "kimi_k2"
        /// GLM-4.7-Flash.
        case glm4MoeLite = "glm4_moe_lite"
        /// GLM-5 and its successors: V3.2 with an indexer that some layers share.
        case glmMoeDsa = "glm_moe_dsa"
        /// Mistral Large 3, whose `params.json` names no type.
        case mistralLarge3 = "mistral_large_3"
    }

    /// How the gate turns scores into chosen experts (specification section 3.8).
    public enum RoutingMethod: String, Sendable, CaseIterable {
        /// The highest scores of all experts.
        case greedy
        /// The highest scores of the groups whose best expert scores highest.
        case groupLimitedGreedy = "group_limited_greedy"
        /// The highest biased scores of the groups whose two best experts score highest.
        case noAuxiliaryLoss = "noaux_tc"
    }

    /// How the gate turns logits into scores.
    public enum Scoring: String, Sendable, CaseIterable {
        /// Softmax over all experts (V2).
        case softmax
        /// Sigmoid of each expert (V3).
        case sigmoid
    }

    /// YaRN's numbers (specification section 3.6).
    public struct Yarn: Equatable, Sendable {
        /// How many times longer the context is than in pre-training.
        public var factor: Double
        /// Context length of pre-training.
        public var originalPositionCount: Int
        /// Rotations above which a frequency is left as it is.
        public var betaFast: Double
        /// Rotations below which a frequency is divided by `factor`.
        public var betaSlow: Double
        /// Numerator of the multiplier of cosine and sine; `nil` where the key is absent.
        public var mscale: Double?
        /// Denominator of that multiplier, and the softmax scale's; `nil` where absent.
        public var mscaleAllDim: Double?
        /// That multiplier itself, where it is stated.
        public var attentionFactor: Double?

        /// States YaRN's numbers.
        public init(
            factor: Double, originalPositionCount: Int, betaFast: Double = 32,
            betaSlow: Double = 1, mscale: Double? = nil, mscaleAllDim: Double? = nil,
            attentionFactor: Double? = nil
        ) {
            self.factor = factor
            self.originalPositionCount = originalPositionCount
            self.betaFast = betaFast
            self.betaSlow = betaSlow
            self.mscale = mscale
            self.mscaleAllDim = mscaleAllDim
            self.attentionFactor = attentionFactor
        }
    }

    /// A factor on the whole query that grows with its position (Mistral Large 3):
    /// `1 + beta * ln(1 + floor(position / originalPositionCount))`.
    public struct QueryGrowth: Equatable, Sendable {
        /// How much it grows.
        public var beta: Double
        /// Positions from one value to the next.
        public var originalPositionCount: Int

        /// States the factor's numbers.
        public init(beta: Double, originalPositionCount: Int) {
            self.beta = beta
            self.originalPositionCount = originalPositionCount
        }
    }

    /// Weights that are stored in fewer than 16 bits (specification section 2.5).
    public struct Quantization: Equatable, Sendable {
        /// How E4M3 weights share their scales; `nil` where none is expected.
        public var float8: Float8Blocks?
        /// Columns of a row that share a scale in INT4 experts; `nil` where none are expected.
        public var int4GroupColumnCount: Int?

        /// States the forms that a file may hold.
        public init(float8: Float8Blocks? = nil, int4GroupColumnCount: Int? = nil) {
            self.float8 = float8
            self.int4GroupColumnCount = int4GroupColumnCount
        }

        /// States the scale blocks of E4M3 weights.
        public init(blockRowCount: Int, blockColumnCount: Int, scalesArePowersOfTwo: Bool) {
            self.init(
                float8: Float8Blocks(
                    rowCount: blockRowCount, columnCount: blockColumnCount,
                    scalesArePowersOfTwo: scalesArePowersOfTwo))
        }
    }

    /// Blocks of an E4M3 weight that share a scale; a row, or a whole matrix, is a block too.
    public struct Float8Blocks: Equatable, Sendable {
        /// Rows that share a scale.
        public var rowCount: Int
        /// Columns that share a scale.
        public var columnCount: Int
        /// Whether the scales are powers of two.
        public var scalesArePowersOfTwo: Bool

        /// More rows and columns than any matrix has.
        public static let whole = 1 << 40

        /// States the blocks.
        public init(rowCount: Int, columnCount: Int, scalesArePowersOfTwo: Bool = false) {
            self.rowCount = rowCount
            self.columnCount = columnCount
            self.scalesArePowersOfTwo = scalesArePowersOfTwo
        }
    }

    /// The lightning indexer of V3.2 and GLM-5 (specification section 6).
    public struct Indexer: Equatable, Sendable {
        /// Heads of the indexer.
        public var headCount: Int
        /// Width of one of its heads.
        public var headSize: Int
        /// Positions that a query keeps.
        public var topK: Int
        /// Whether its rotated pairs are neighbours (GLM-5), and not half of them apart (V3.2).
        public var isInterleaved: Bool
        /// Main layers without an indexer, never the first.
        ///
        /// They take the positions that the nearest layer below with one has chosen.
        public var sharedLayers: Set<Int>

        /// States the indexer's sizes.
        public init(
            headCount: Int, headSize: Int, topK: Int, isInterleaved: Bool = false,
            sharedLayers: Set<Int> = []
        ) {
            self.headCount = headCount
            self.headSize = headSize
            self.topK = topK
            self.isInterleaved = isInterleaved
            self.sharedLayers = sharedLayers
        }
    }

    /// The routed experts of a MoE layer.
    public struct Routing: Equatable, Sendable {
        /// Routed experts of a layer.
        public var expertCount: Int
        /// Shared experts, realised as one MLP of that many times the expert's width; may be 0.
        public var sharedExpertCount: Int
        /// Routed experts chosen for each token.
        public var expertsPerTokenCount: Int
        /// Expert groups of consecutive experts.
        public var groupCount: Int
        /// Groups that survive the first choice.
        public var keptGroupCount: Int
        /// How experts are chosen.
        public var method: RoutingMethod
        /// How logits become scores.
        public var scoring: Scoring
        /// Whether the chosen weights are divided by their sum.
        public var normalizesWeights: Bool
        /// Factor on the chosen weights.
        public var scalingFactor: Float
        /// Whether the factor applies to weights that were divided by their sum, too; V2 either
        /// divides or scales.
        public var scalesNormalizedWeights: Bool
        /// Width of one expert.
        public var expertIntermediateSize: Int

        /// States a MoE layer's experts and their choice.
        public init(
            expertCount: Int, sharedExpertCount: Int, expertsPerTokenCount: Int,
            groupCount: Int = 1, keptGroupCount: Int = 1, method: RoutingMethod,
            scoring: Scoring, normalizesWeights: Bool, scalingFactor: Float,
            scalesNormalizedWeights: Bool? = nil, expertIntermediateSize: Int
        ) {
            self.expertCount = expertCount
            self.sharedExpertCount = sharedExpertCount
            self.expertsPerTokenCount = expertsPerTokenCount
            self.groupCount = groupCount
            self.keptGroupCount = keptGroupCount
            self.method = method
            self.scoring = scoring
            self.normalizesWeights = normalizesWeights
            self.scalingFactor = scalingFactor
            self.scalesNormalizedWeights = scalesNormalizedWeights ?? (method == .noAuxiliaryLoss)
            self.expertIntermediateSize = expertIntermediateSize
        }
    }

    /// Which family's names and defaults apply.
    public var family: Family
    /// Rows of embedding and head; padded, so larger than the number of real tokens.
    public var vocabularySize: Int
    /// Width of the residual stream.
    public var hiddenSize: Int
    /// Width of a dense layer's MLP.
    public var intermediateSize: Int
    /// Main layers; multi-token-prediction layers are extra and come after.
    public var layerCount: Int
    /// Attention heads.
    public var headCount: Int
    /// `nil` where queries are projected at once (`q_proj`).
    public var queryLoraRank: Int?
    /// Width of the latent.
    public var kvLoraRank: Int
    /// Width of a head's part that is not rotated.
    public var qkNopeHeadSize: Int
    /// Width of a head's rotated part, and of the rope key; even.
    public var qkRopeHeadSize: Int
    /// Width of a head's value.
    public var valueHeadSize: Int
    /// One entry a main layer: whether it is a MoE layer.
    public var layerIsMixture: [Bool]
    /// `nil` for a dense model.
    public var routing: Routing?
    /// Base of the rotary frequencies.
    public var ropeTheta: Double
    /// `nil` for plain rotary frequencies.
    public var yarn: Yarn?
    /// `nil` where queries do not grow with their position.
    public var queryGrowth: QueryGrowth?
    /// Positions that the model was made for.
    public var positionCountMax: Int
    /// Epsilon of the input, post-attention and final norms.
    public var normEpsilon: Float
    /// Epsilon of the latent norms: always 1e-6 (specification section 3.2).
    public var latentNormEpsilon: Float
    /// Whether the head is the embedding.
    public var tiesWordEmbeddings: Bool
    /// Multi-token-prediction layers stored after the main ones; 0 where the key is absent.
    public var nextTokenLayerCount: Int
    /// `nil` where all weights are BF16 or F32.
    public var quantization: Quantization?
    /// `nil` but for V3.2 and GLM-5.
    public var indexer: Indexer?
    /// The token before every prompt, where there is one.
    public var beginToken: TokenID?
    /// The tokens that end a completion.
    public var endTokens: [TokenID]

    /// Width of a cached row: latent then rope key.
    public var latentRowWidth: Int { kvLoraRank + qkRopeHeadSize }
}
