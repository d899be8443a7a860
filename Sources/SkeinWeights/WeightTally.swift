public import SkeinCore

/// How many numbers some tensors hold and how many bytes they take.
public struct WeightTally: Equatable, Sendable {
    /// Tensors, scales counted as tensors of their own, as in a file.
    public var tensorCount = 0

    /// Numbers of the model; scales are none.
    public var parameterCount = 0

    /// Bytes of FP8 codes.
    public var float8Bytes = 0

    /// Bytes of the FP8 codes' scales.
    public var scaleBytes = 0

    /// Bytes of BF16 numbers.
    public var bfloat16Bytes = 0

    /// Bytes of F32 numbers that are no scales.
    public var float32Bytes = 0

    /// Nothing yet.
    public init() {}

    /// Bytes of everything.
    public var totalBytes: Int { float8Bytes + scaleBytes + bfloat16Bytes + float32Bytes }

    /// Counts what published checkpoints of a configuration store for some requirements.
    public init(
        of requirements: [WeightRequirement], quantization: ModelConfiguration.Quantization?
    ) {
        for requirement in requirements { add(requirement, quantization: quantization) }
    }

    private mutating func add(
        _ requirement: WeightRequirement, quantization: ModelConfiguration.Quantization?
    ) {
        tensorCount += 1
        parameterCount += requirement.elementCount
        switch (requirement.storage, quantization) {
        case (.quantizable, let quantization?):
            float8Bytes += requirement.elementCount
            tensorCount += 1
            scaleBytes += 4 * requirement.scaleShape(quantization).reduce(1, *)
        case (.quantizable, nil), (.plain, _):
            bfloat16Bytes += 2 * requirement.elementCount
        case (.precise, _):
            float32Bytes += 4 * requirement.elementCount
        }
    }

    /// The sum of two tallies.
    public static func + (left: Self, right: Self) -> Self {
        var sum = left
        sum += right
        return sum
    }

    /// Adds another tally.
    public static func += (left: inout Self, right: Self) {
        left.tensorCount += right.tensorCount
        left.parameterCount += right.parameterCount
        left.float8Bytes += right.float8Bytes
        left.scaleBytes += right.scaleBytes
        left.bfloat16Bytes += right.bfloat16Bytes
        left.float32Bytes += right.float32Bytes
    }

    /// A tally taken several times.
    public static func * (count: Int, tally: Self) -> Self {
        var product = tally
        product.tensorCount *= count
        product.parameterCount *= count
        product.float8Bytes *= count
        product.scaleBytes *= count
        product.bfloat16Bytes *= count
        product.float32Bytes *= count
        return product
    }
}
