public import SkeinCore

/// How many numbers some tensors hold and how many bytes they take.
public struct WeightTally: Equatable, Sendable {
    /// Tensors, scales counted as tensors of their own, as in a file.
    public var tensorCount = 0

    /// Numbers of the model; scales are none.
    public var parameterCount = 0

    /// Bytes of FP8 codes.
    public var float8Bytes = 0

    /// Bytes of INT4 codes.
    public var int4Bytes = 0

    /// Bytes of the scales of FP8 and INT4 codes, and of the shapes that INT4 files repeat.
    public var scaleBytes = 0

    /// Bytes of BF16 numbers.
    public var bfloat16Bytes = 0

    /// Bytes of F32 numbers that are no scales.
    public var float32Bytes = 0

    /// Nothing yet.
    public init() {}

    /// Bytes of everything.
    public var totalBytes: Int {
        float8Bytes + int4Bytes + scaleBytes + bfloat16Bytes + float32Bytes
    }

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
        switch requirement.storage {
        case .expert:
            guard let columns = quantization?.int4GroupColumnCount else { fallthrough }
            int4Bytes += requirement.elementCount / 2
            tensorCount += 2
            let groupCount = (requirement.shape[1] + columns - 1) / columns
            scaleBytes += 2 * requirement.shape[0] * groupCount + Self.shapeBytes
        case .quantizable:
            guard let blocks = quantization?.float8 else { fallthrough }
            float8Bytes += requirement.elementCount
            tensorCount += 1
            scaleBytes += 4 * requirement.scaleShape(blocks).reduce(1, *)
        case .keptQuantizable, .plain:
            bfloat16Bytes += 2 * requirement.elementCount
        case .precise:
            float32Bytes += 4 * requirement.elementCount
        }
    }

    /// Of the rows and columns that stand beside INT4 codes, as 32-bit integers.
    private static let shapeBytes = 8

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
        left.int4Bytes += right.int4Bytes
        left.scaleBytes += right.scaleBytes
        left.bfloat16Bytes += right.bfloat16Bytes
        left.float32Bytes += right.float32Bytes
    }

    /// Takes a part of a tally away.
    static func -= (left: inout Self, right: Self) { left += -1 * right }

    /// A tally taken several times.
    public static func * (count: Int, tally: Self) -> Self {
        var product = tally
        product.tensorCount *= count
        product.parameterCount *= count
        product.float8Bytes *= count
        product.int4Bytes *= count
        product.scaleBytes *= count
        product.bfloat16Bytes *= count
        product.float32Bytes *= count
        return product
    }
}
