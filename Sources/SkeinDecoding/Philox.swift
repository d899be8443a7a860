/// Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy
/// as 1, 2, 3", SC 2011).
///
/// A number depends on key and counter alone, so a token drawn again at the same position, on
/// another stage or after a failure, is the same token.
public enum Philox {
    /// Runs ten rounds on one counter.
    public static func block(
        counter: SIMD4<UInt32>, key: (UInt32, UInt32)
    ) -> SIMD4<UInt32> {
        var (c0, c1, c2, c3) = (counter.x, counter.y, counter.z, counter.w)
        var (k0, k1) = key
        for _ in 0..<10 {
            let first = UInt64(c0) * 0xD251_1F53
            let second = UInt64(c2) * 0xCD9E_8D57
            let (low0, low1) = (
                UInt32(truncatingIfNeeded: first), UInt32(truncatingIfNeeded: second)
            )
            (c0, c2) = (
                UInt32(truncatingIfNeeded: second >> 32) ^ c1 ^ k0,
                UInt32(truncatingIfNeeded: first >> 32) ^ c3 ^ k1
            )
            (c1, c3) = (low1, low0)
            k0 &+= 0x9E37_79B9
            k1 &+= 0xBB67_AE85
        }
        return SIMD4(c0, c1, c2, c3)
    }

    /// A number in `[0, 1)` with 53 random bits for the draw at a position.
    ///
    /// - Parameter stream: Keeps draws of different purpose at one position apart; 0 draws the
    ///   token.
    public static func uniform(seed: UInt64, position: Int, stream: UInt32 = 0) -> Double {
        let place = UInt64(truncatingIfNeeded: position)
        let bits = block(
            counter: SIMD4(
                UInt32(truncatingIfNeeded: place), UInt32(truncatingIfNeeded: place >> 32), stream,
                0),
            key: (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
        let word = UInt64(bits.x) << 32 | UInt64(bits.y)
        return Double(word >> 11) * 0x1p-53
    }
}
