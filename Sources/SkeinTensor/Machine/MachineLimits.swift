internal import CSkeinKernels

/// What this machine can do at most, measured now: the yardsticks of every speed we print.
public enum MachineLimits {
    /// Bytes per second of a streaming read of a fresh buffer, best of `tries`.
    public static func readBandwidth(
        byteCount: Int = 1 << 30, tries: Int = 5, on pool: ComputePool
    ) -> Double {
        let bytes = OwnedBytes(byteCount: byteCount)
        bytes.base.initializeMemory(as: UInt8.self, repeating: 1, count: byteCount)
        let from = bytes.rawBase.assumingMemoryBound(to: UInt8.self)
        return best(of: tries) {
            _ = skein_stream_read(pool.pool, from, byteCount)
            return Double(byteCount)
        }
    }

    /// BF16 multiplies and adds per second from registers, best of `tries`; one each counts two.
    public static func bfloat16Peak(tries: Int = 5, on pool: ComputePool) -> Double {
        best(of: tries) { skein_multiply_add_peak_bf16(pool.pool, peakRounds) }
    }

    /// F32 multiplies and adds per second from registers, best of `tries`; one each counts two.
    public static func float32Peak(tries: Int = 5, on pool: ComputePool) -> Double {
        best(of: tries) { skein_multiply_add_peak_f32(pool.pool, peakRounds) }
    }

    /// INT8 multiplies and adds per second from registers, best of `tries`; one each counts two.
    public static func int8Peak(tries: Int = 5, on pool: ComputePool) -> Double {
        best(of: tries) { skein_multiply_add_peak_i8(pool.pool, peakRounds) }
    }

    /// About ten milliseconds a try.
    private static let peakRounds = 2_000_000

    /// The best rate of something that says how much it did.
    private static func best(of tries: Int, _ body: () -> Double) -> Double {
        let clock = ContinuousClock()
        var best = 0.0
        for _ in 0..<max(tries, 1) {
            var done = 0.0
            let elapsed = clock.measure { done = body() }
            best = max(best, done / (elapsed / .seconds(1)))
        }
        return best
    }
}
