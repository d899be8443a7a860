internal import CSkeinKernels

/// The E4M3 format: 1 sign, 4 exponent (bias 7), 3 mantissa; NaN is 0x7F and 0xFF, no infinities.
public enum Float8 {
    /// The largest finite number.
    public static let largest: Float = 448

    /// The number that a code stands for; exact.
    public static func decode(_ code: UInt8) -> Float { skein_f8e4m3_decode(code) }

    /// The nearest code, to even among two; beyond ±448 the largest; NaN keeps its sign.
    public static func encode(_ value: Float) -> UInt8 { skein_f8e4m3_encode(value) }

    /// The number that an E8M0 byte stands for: `2^(byte - 127)`, 255 is NaN.
    public static func decodeScale(_ byte: UInt8) -> Float {
        switch byte {
        case 0: Float(bitPattern: 1 << 22)
        case 255: .nan
        default: Float(bitPattern: UInt32(byte) << 23)
        }
    }

    /// How the scale of a group of activations is chosen.
    public enum ScaleKind: Sendable {
        /// amax / 448.
        case float32
        /// The next power of two at or above amax / 448.
        case powerOfTwo
    }

    /// Quantises one group (1 x 128 in the published models) with a scale of its own.
    public static func quantize(_ scaleGroup: [Float], scale kind: ScaleKind) -> (
        codes: [UInt8], scale: Float
    ) {
        let amax = scaleGroup.reduce(Float(1e-4)) { max($0, abs($1)) }
        var scale = amax / largest
        if kind == .powerOfTwo {
            let bits = scale.bitPattern
            let roundsUp: UInt32 = bits & 0x7F_FFFF == 0 ? 0 : 1
            scale = Float(bitPattern: ((bits >> 23) + roundsUp) << 23)
        }
        return (scaleGroup.map { encode($0 / scale) }, scale)
    }
}
