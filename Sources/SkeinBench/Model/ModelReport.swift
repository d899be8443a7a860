public import SkeinCore
public import SkeinTensor
public import SkeinWeights

/// What a machine can do at most, measured beside a bench.
public struct MeasuredLimits: Sendable {
    /// Multiplies and adds per second, by format.
    public struct Peaks: Encodable, Sendable {
        /// From F32 registers.
        public let f32: Double
        /// From BF16 registers, or what stands for them.
        public let bf16: Double
        /// From INT8 registers.
        public let int8: Double
    }

    /// Bytes per second of a streaming read.
    public let readBandwidth: Double

    /// By format.
    public let peaks: Peaks

    /// Measures on all threads of a pool that is otherwise idle.
    public init(on pool: ComputePool) {
        readBandwidth = MachineLimits.readBandwidth(byteCount: 512 << 20, tries: 8, on: pool)
        peaks = Peaks(
            f32: MachineLimits.float32Peak(on: pool), bf16: MachineLimits.bfloat16Peak(on: pool),
            int8: MachineLimits.int8Peak(on: pool))
    }

    /// The peak of the products that a form of weights needs.
    func peak(of form: WeightForm) -> Double { form == .int8 ? peaks.int8 : peaks.bf16 }
}

/// What a model bench found beside the limits of the machine, with the names that others script
/// against.
public struct ModelReport: Encodable, Sendable {
    /// Tokens of the timed prompt.
    public let promptTokens: Int
    /// Tokens that each stream produced.
    public let newTokens: Int
    /// Streams that decoded together.
    public let streams: Int
    /// Positions of each stream's prompt.
    public let contextPositions: Int
    /// Compute threads of each process.
    public let threads: Int
    /// The form in which weights are kept.
    public let weights: String
    /// The form in which the latent cache keeps its rows.
    public let latents: String
    /// The kernels that ran.
    public let isa: String
    /// Seconds from the command's start to the first token that could have been demanded.
    public let loadSeconds: Double
    /// Prompt tokens a second until the first token; absent without a prompt.
    public let prefillTokensPerSecond: Double?
    /// Tokens a second of all streams together.
    public let decodeTokensPerSecond: Double
    /// Operations of a prompt token, the mean over the prompt.
    public let prefillFlopsPerToken: Double?
    /// Operations of a decoded token.
    public let decodeFlopsPerToken: Double
    /// Bytes of weights and latents that a decode step reads, for each token it gives.
    public let decodeBytesPerToken: Double
    /// Different experts that a decode step read in a layer, the mean.
    public let expertsTouchedPerLayer: Double
    /// Bytes per second of a streaming read, on as many threads.
    public let readBandwidthBytesPerSecond: Double
    /// Multiplies and adds per second, by format.
    public let multiplyAddPeakFlops: MeasuredLimits.Peaks
    /// Bytes that decode read per second, as a share of the streaming read.
    public let decodeShareOfBandwidth: Double
    /// The time that reading or multiplying takes at least, whichever is longer, as a share of the
    /// measured time of a decode step.
    public let decodeShareOfLimit: Double
    /// Operations of the prompt per second, as a share of the peak in the weights' format.
    public let prefillShareOfPeak: Double?
    /// The most memory that this process ever had.
    public let peakResidentBytes: Int

    /// Joins findings, costs and limits.
    public init(
        load: ModelBench.Load, findings: ModelFindings, cost: ModelCost, limits: MeasuredLimits,
        form: WeightForm, latents: LatentForm, pool: ComputePool, loadSeconds: Double,
        peakResidentBytes: Int
    ) {
        promptTokens = load.promptTokenCount
        newTokens = load.newTokenCount
        streams = load.streamCount
        contextPositions = load.contextCount
        threads = pool.threadCount
        weights = form.rawValue
        self.latents = latents.rawValue
        isa = "\(pool.instructionSet)"
        self.loadSeconds = loadSeconds
        let streams = Double(load.streamCount)
        let stepBytes = cost.decodeBytes(
            rowCount: load.streamCount, touchedExpertCount: findings.touchedExpertCount,
            positionCount: findings.stepPositionCount)
        let stepFlops = cost.decodeFlops(
            rowCount: load.streamCount, positionCount: findings.stepPositionCount)
        let peak = limits.peak(of: form)
        let stepSeconds = streams / findings.decodeTokensPerSecond
        decodeTokensPerSecond = findings.decodeTokensPerSecond
        decodeFlopsPerToken = stepFlops / streams
        decodeBytesPerToken = stepBytes / streams
        expertsTouchedPerLayer =
            findings.touchedExpertCount / Double(max(1, cost.mixtureLayerCount))
        readBandwidthBytesPerSecond = limits.readBandwidth
        multiplyAddPeakFlops = limits.peaks
        decodeShareOfBandwidth = stepBytes / stepSeconds / limits.readBandwidth
        decodeShareOfLimit =
            max(stepBytes / limits.readBandwidth, stepFlops / peak) / stepSeconds
        if load.promptTokenCount > 0 {
            let flops = cost.prefillFlops(rowCount: load.promptTokenCount)
            prefillTokensPerSecond = Double(load.promptTokenCount) / findings.prefillSeconds
            prefillFlopsPerToken = flops / Double(load.promptTokenCount)
            prefillShareOfPeak = flops / findings.prefillSeconds / peak
        } else {
            (prefillTokensPerSecond, prefillFlopsPerToken, prefillShareOfPeak) = (nil, nil, nil)
        }
        self.peakResidentBytes = peakResidentBytes
    }
}
