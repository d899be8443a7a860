import Foundation

/// What clients of a simulated cluster ask, with the words of `skein bench serve`.
public struct SimulatedLoad: Equatable, Sendable {
    /// Requests in all.
    public var requestCount: Int

    /// Requests a second by a clock; `nil` for a closed loop, in which the next comes when one
    /// ends.
    public var requestRate: Double?

    /// Requests under way at once: of a closed loop always, of an open one at most; `nil` for any.
    public var concurrencyMax: Int?

    /// Tokens of every prompt.
    public var promptTokenCount: Int

    /// Tokens of every completion.
    public var newTokenCount: Int

    /// Seed of the arrivals.
    public var seed: UInt64

    /// Describes a load.
    public init(
        requestCount: Int, requestRate: Double? = nil, concurrencyMax: Int? = nil,
        promptTokenCount: Int, newTokenCount: Int, seed: UInt64 = 0
    ) {
        self.requestCount = requestCount
        self.requestRate = requestRate
        self.concurrencyMax = concurrencyMax
        self.promptTokenCount = promptTokenCount
        self.newTokenCount = newTokenCount
        self.seed = seed
    }

    /// Moments at which requests are due, in nanoseconds; all at once in a closed loop.
    func dueTimes() -> [UInt64] {
        guard let requestRate, requestRate > 0 else {
            return [UInt64](repeating: 0, count: requestCount)
        }
        var state = seed
        var time = 0.0
        return (0..<requestCount).map { _ in
            // SplitMix64; gaps of a Poisson process.
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            let uniform = Double((mixed ^ (mixed >> 31)) >> 11) / Double(1 << 53)
            time += -log(1 - uniform) / requestRate
            return UInt64(time * 1e9)
        }
    }
}
