/// When requests come: by a clock that does not wait for answers, or as answers make room.
public struct LoadShape: Sendable, Equatable {
    /// When no more requests come.
    public enum End: Sendable, Equatable {
        /// After so many requests.
        case requestCount(Int)
        /// After so long; what runs then is waited for.
        case duration(Duration)
    }

    /// Requests a second on average; `nil` asks for all at once.
    public var requestRate: Double?

    /// The shape of the gamma distribution between arrivals: 1 is a Poisson process, less is
    /// burstier, more is evener.
    public var burstiness: Double

    /// Requests that run at once at most.
    public var concurrencyMax: Int?

    /// When no more requests come.
    public var end: End

    /// Seed of the arrivals.
    public var seed: UInt64

    /// Describes a load.
    public init(
        requestRate: Double? = nil, burstiness: Double = 1, concurrencyMax: Int? = nil, end: End,
        seed: UInt64 = 0
    ) {
        self.requestRate = requestRate
        self.burstiness = burstiness
        self.concurrencyMax = concurrencyMax
        self.end = end
        self.seed = seed
    }

    /// Whether a request comes only once another has ended, so that no clock says when it is due.
    public var isClosedLoop: Bool { requestRate == nil && concurrencyMax != nil }

    /// When each request of an open loop is due, counted from the start of the load.
    var arrivals: Arrivals { Arrivals(self) }

    /// The endless list of the times at which requests are due.
    struct Arrivals: Sequence, IteratorProtocol {
        private let shape: LoadShape
        private var numbers: SeededNumbers
        private var seconds = 0.0

        fileprivate init(_ shape: LoadShape) {
            self.shape = shape
            numbers = SeededNumbers(seed: shape.seed, purpose: 1)
        }

        /// The next time.
        mutating func next() -> Duration? {
            guard let rate = shape.requestRate else { return .zero }
            // A gamma number of shape B has the mean B, so the scale 1/(R B) makes it 1/R.
            seconds += numbers.gamma(shape: shape.burstiness) / (rate * shape.burstiness)
            return .seconds(seconds)
        }
    }
}
