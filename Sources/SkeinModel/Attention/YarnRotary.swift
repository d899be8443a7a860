import Foundation
public import SkeinCore
public import SkeinTensor

/// Rotary angles stretched by YaRN, and what the stretching asks of the softmax
/// (specification section 3.6).
///
/// The stretched frequencies hold at every position and length. Without YaRN this is plain RoPE.
public struct YarnRotary: Sendable {
    /// Radians a position, one for each rotated pair.
    public let inverseFrequencies: [Double]

    /// Multiplies every cosine and sine; 1 in all published models.
    public let magnitude: Double

    /// Multiplies the scores before the softmax.
    public let softmaxScale: Double

    /// Cosines and sines of any position.
    public let table: RotaryTable

    /// Derives the numbers from a model's configuration.
    public init(configuration: ModelConfiguration) {
        self.init(
            headSize: configuration.qkNopeHeadSize + configuration.qkRopeHeadSize,
            ropeSize: configuration.qkRopeHeadSize, theta: configuration.ropeTheta,
            yarn: configuration.yarn)
    }

    /// Derives the numbers.
    ///
    /// - Parameters:
    ///   - headSize: numbers of a query head, rotated or not; the width in the softmax scale, in
    ///     absorbed form as well.
    ///   - ropeSize: the rotated numbers of a head.
    ///   - theta: RoPE's base.
    ///   - yarn: `nil` for plain RoPE.
    init(headSize: Int, ropeSize: Int, theta: Double, yarn: ModelConfiguration.Yarn?) {
        let plain = (0..<ropeSize / 2).map { pow(theta, -2 * Double($0) / Double(ropeSize)) }
        let plainScale = 1 / Double(headSize).squareRoot()
        guard let yarn else {
            inverseFrequencies = plain
            magnitude = 1
            softmaxScale = plainScale
            table = RotaryTable(frequencies: plain)
            return
        }
        inverseFrequencies = Self.stretched(plain, ropeSize: ropeSize, theta: theta, yarn: yarn)
        magnitude = Self.magnitude(yarn)
        let allDim = yarn.mscaleAllDim ?? 0
        let growth = allDim == 0 ? 1 : Self.growth(factor: yarn.factor, mscale: allDim)
        softmaxScale = plainScale * growth * growth
        table = RotaryTable(frequencies: inverseFrequencies, magnitude: magnitude)
    }

    /// Slow pairs are interpolated, fast ones are kept, and a ramp lies between.
    private static func stretched(
        _ plain: [Double], ropeSize: Int, theta: Double, yarn: ModelConfiguration.Yarn
    ) -> [Double] {
        func pair(rotations: Double) -> Double {
            let positions = Double(yarn.originalPositionCount)
            return Double(ropeSize) * log(positions / (2 * .pi * rotations)) / (2 * log(theta))
        }
        let low = max(pair(rotations: yarn.betaFast).rounded(.down), 0)
        // The clamp is the published one, though pairs end at half of it.
        var high = min(pair(rotations: yarn.betaSlow).rounded(.up), Double(ropeSize - 1))
        if low == high { high += 0.001 }
        return plain.enumerated().map { index, frequency in
            let ramp = min(max((Double(index) - low) / (high - low), 0), 1)
            return frequency * (1 - ramp) + frequency / yarn.factor * ramp
        }
    }

    /// What the file states, else the ratio of both mscales where both are given, else generic
    /// YaRN's growth.
    private static func magnitude(_ yarn: ModelConfiguration.Yarn) -> Double {
        if let stated = yarn.attentionFactor { return stated }
        guard let mscale = yarn.mscale, let allDim = yarn.mscaleAllDim, mscale != 0, allDim != 0
        else { return growth(factor: yarn.factor, mscale: 1) }
        return growth(factor: yarn.factor, mscale: mscale)
            / growth(factor: yarn.factor, mscale: allDim)
    }

    private static func growth(factor: Double, mscale: Double) -> Double {
        factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1
    }
}
