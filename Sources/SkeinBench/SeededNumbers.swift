import Foundation

/// Random numbers that come again with the same seed, for load shapes and prompts.
struct SeededNumbers: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Numbers of one purpose: two purposes of one seed share nothing.
    init(seed: UInt64, purpose: UInt64 = 0) {
        state = seed
        state = next() ^ (purpose &* 0xD1B5_4A32_D192_ED03)
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): every state gives a well mixed number.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number above 0 and below 1.
    mutating func uniform() -> Double {
        (Double(next() >> 11) + 0.5) * 0x1p-53
    }

    /// A normal number of mean 0 and deviation 1 (Box and Muller).
    mutating func normal() -> Double {
        let radius = (-2 * log(uniform())).squareRoot()
        return radius * cos(2 * .pi * uniform())
    }

    /// A gamma number of this shape and scale 1, whose mean is the shape (Marsaglia and Tsang).
    mutating func gamma(shape: Double) -> Double {
        guard shape >= 1 else {
            // A smaller shape is a larger one, thinned by a power of a uniform number.
            return gamma(shape: shape + 1) * pow(uniform(), 1 / shape)
        }
        let third = shape - 1 / 3
        let slope = 1 / (9 * third).squareRoot()
        while true {
            let normal = normal()
            let cube = pow(1 + slope * normal, 3)
            guard cube > 0 else { continue }
            let bound = 0.5 * normal * normal + third - third * cube + third * log(cube)
            if log(uniform()) < bound { return third * cube }
        }
    }
}
