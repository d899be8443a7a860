/// What a simulated load saw.
public struct SimulationReport: Equatable, Sendable {
    /// A latency's percentiles in seconds.
    public struct Latency: Equatable, Sendable {
        /// The mean, for those who compare with tools that print it.
        public let mean: Double
        /// Half were shorter.
        public let median: Double
        /// Of a hundred, 90 were shorter.
        public let p90: Double
        /// Of a hundred, 99 were shorter.
        public let p99: Double

        init(_ values: [Double]) {
            let sorted = values.sorted()
            func place(_ share: Double) -> Double {
                sorted.isEmpty
                    ? 0 : sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
            }
            mean = sorted.isEmpty ? 0 : sorted.reduce(0, +) / Double(sorted.count)
            median = place(0.5)
            p90 = place(0.9)
            p99 = place(0.99)
        }
    }

    /// Requests that ended well.
    public let completedCount: Int
    /// Requests that were told to come later, or could not run.
    public let refusedCount: Int
    /// Seconds from the first request to the last token.
    public let seconds: Double
    /// Requests a second.
    public let requestsPerSecond: Double
    /// Tokens of completions a second.
    public let outputTokensPerSecond: Double
    /// Tokens of prompts and completions a second.
    public let totalTokensPerSecond: Double
    /// Tokens of completions a second while all clients of a closed loop decode, once the schedule
    /// has settled; `nil` where they never did.
    public let steadyTokensPerSecond: Double?
    /// From when a request was due to its first token.
    public let timeToFirstToken: Latency
    /// One value a request: seconds after the first token, a token.
    public let timePerToken: Latency
    /// From when a request was due to its last token.
    public let endToEnd: Latency
    /// The share of the time that each used host's cores computed, by host.
    public let busyShares: [Int: Double]
    /// Micro-batches that went round.
    public let microBatchCount: Int
    /// Decode rows of a micro-batch that had any, in the mean.
    public let meanDecodeRowCount: Double
    /// Decode micro-batches that the schedule wanted in the end.
    public let decodeMicroBatchCount: Int
    /// Sequences that gave up their pages for an older one.
    public let preemptionCount: Int
    /// Events of the simulation.
    public let eventCount: Int

    /// The largest share of the time that a ring node's cores waited.
    public func bubbleShare(ofHosts hosts: [Int]) -> Double {
        1 - (hosts.map { busyShares[$0] ?? 0 }.min() ?? 0)
    }
}
