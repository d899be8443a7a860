import SkeinTensor

/// Random numbers for a synthetic checkpoint: each depends on seed, tensor and place alone.
///
/// A counter goes through a mixing function (SplitMix64's finaliser), and its bits choose from a
/// table of the normal distribution. So pieces of a tensor can be made in any order on any number
/// of cores, at a few bytes a nanosecond.
struct SyntheticNumbers: Sendable {
    /// What a tensor is filled with.
    enum Kind: Sendable {
        /// E4M3 codes of the normal distribution, as wide as the format goes.
        case codes
        /// INT4 codes plus 8, eight in a word, all alike.
        case int4Words
        /// BF16 scales of INT4 codes, such that the weights have this deviation.
        case int4Scales(deviation: Float)
        /// 32-bit integers.
        case integers([Int])
        /// F32 scales of E4M3 codes, such that the weights have this deviation.
        case scales(deviation: Float, arePowersOfTwo: Bool)
        /// BF16 numbers of a mean and a deviation.
        case bfloat16(mean: Float, deviation: Float)
        /// F32 numbers of a mean and a deviation.
        case float32(mean: Float, deviation: Float)
    }

    /// Decides everything; another seed gives another model.
    let seed: UInt64

    /// Deviation of the codes: four of them reach the largest E4M3 number.
    private static let codeDeviation = Float8.largest / 4

    /// Quantiles of the normal distribution at the middles of equal parts.
    private static let quantiles: [Float] = (0..<4_096).map {
        Float(normalQuantile((Double($0) + 0.5) / 4_096))
    }

    private static let codes: [UInt8] = (0..<256).map {
        Float8.encode(Float(normalQuantile((Double($0) + 0.5) / 256)) * codeDeviation)
    }

    /// Makes the bytes of a run of numbers.
    ///
    /// - Parameters:
    ///   - kind: what the tensor is filled with.
    ///   - name: the tensor.
    ///   - range: which of its numbers; begins at a multiple of eight.
    func bytes(_ kind: Kind, of name: String, in range: Range<Int>) -> [UInt8] {
        precondition(range.lowerBound.isMultiple(of: 8), "a piece begins at \(range.lowerBound)")
        let key = key(of: name)
        switch kind {
        case .codes:
            return Self.codeBytes(key: key, in: range)
        case .int4Words:
            return Self.words(range) { UInt32(truncatingIfNeeded: Self.mix(key, $0)) }
        case .int4Scales(let deviation):
            return Self.int4ScaleBytes(key: key, deviation: deviation, in: range)
        case .integers(let numbers):
            return Self.words(range) { UInt32(truncatingIfNeeded: numbers[$0]) }
        case .bfloat16(let mean, let deviation):
            return Self.bfloat16Bytes(key: key, mean: mean, deviation: deviation, in: range)
        case .float32(let mean, let deviation):
            return Self.float32Bytes(range) { index in
                mean + deviation * Self.quantiles[Int(Self.mix(key, index) & 4_095)]
            }
        case .scales(let deviation, let arePowersOfTwo):
            let middle = deviation / Self.codeDeviation
            return Self.float32Bytes(range) { index in
                let share = Float(Self.mix(key, index) >> 40) / Float(1 << 24)
                let scale = middle * (0.8 + 0.4 * share)
                guard arePowersOfTwo else { return scale }
                return Float(sign: .plus, exponent: scale.exponent, significand: 1)
            }
        }
    }

    /// FNV-1a of the name, mixed with the seed.
    private func key(of name: String) -> UInt64 {
        let hash = name.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01b3
        }
        return Self.mix(hash, Int(truncatingIfNeeded: seed))
    }

    @inline(__always)
    private static func mix(_ key: UInt64, _ counter: Int) -> UInt64 {
        var bits = key &+ (UInt64(truncatingIfNeeded: counter) &+ 1) &* 0x9e37_79b9_7f4a_7c15
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31)
    }

    private static func codeBytes(key: UInt64, in range: Range<Int>) -> [UInt8] {
        let codes = codes
        var bytes = [UInt8](repeating: 0, count: range.count)
        var place = 0
        while place < bytes.count {
            var bits = mix(key, (range.lowerBound + place) / 8)
            for index in place..<min(place + 8, bytes.count) {
                bytes[index] = codes[Int(bits & 255)]
                bits >>= 8
            }
            place += 8
        }
        return bytes
    }

    private static func bfloat16Bytes(
        key: UInt64, mean: Float, deviation: Float, in range: Range<Int>
    ) -> [UInt8] {
        let halves = quantiles.map { rounded(mean + deviation * $0) }
        var bytes = [UInt8](repeating: 0, count: 2 * range.count)
        var place = 0
        while place < range.count {
            var bits = mix(key, (range.lowerBound + place) / 4)
            for index in place..<min(place + 4, range.count) {
                let half = halves[Int(bits & 4_095)]
                bytes[2 * index] = UInt8(truncatingIfNeeded: half)
                bytes[2 * index + 1] = UInt8(truncatingIfNeeded: half >> 8)
                bits >>= 16
            }
            place += 4
        }
        return bytes
    }

    private static func float32Bytes(
        _ range: Range<Int>, _ number: (Int) -> Float
    ) -> [UInt8] {
        words(range) { number($0).bitPattern }
    }

    /// Deviation of codes from -8 to 7 that are all alike.
    private static let int4CodeDeviation: Float = 4.61

    private static func int4ScaleBytes(
        key: UInt64, deviation: Float, in range: Range<Int>
    ) -> [UInt8] {
        let middle = deviation / int4CodeDeviation
        return range.flatMap { index in
            let share = Float(mix(key, index) >> 40) / Float(1 << 24)
            let half = rounded(middle * (0.8 + 0.4 * share))
            return [UInt8(truncatingIfNeeded: half), UInt8(truncatingIfNeeded: half >> 8)]
        }
    }

    private static func words(_ range: Range<Int>, _ word: (Int) -> UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * range.count)
        for index in range {
            let bits = word(index)
            for shift in stride(from: UInt32(0), to: 32, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: bits >> shift))
            }
        }
        return bytes
    }

    /// The upper half of a finite number, rounded to the nearest, ties to even.
    private static func rounded(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
    }
}

/// The number below which a share of the normal distribution lies, found by bisection.
private func normalQuantile(_ share: Double) -> Double {
    var (low, high) = (-9.0, 9.0)
    for _ in 0..<48 {
        let middle = (low + high) / 2
        if normalShare(below: middle) < share { low = middle } else { high = middle }
    }
    return (low + high) / 2
}

/// The integral of the normal density by its power series.
///
/// It needs nothing but the four operations, on which all machines agree to the last bit; a
/// system's `erf` may differ.
private func normalShare(below value: Double) -> Double {
    var term = value
    var sum = value
    var order = 1.0
    while order < 400, abs(term) > 1e-18 {
        term *= -value * value * (2 * order - 1) / (2 * order * (2 * order + 1))
        sum += term
        order += 1
    }
    return 0.5 + sum / (2 * Double.pi).squareRoot()
}
