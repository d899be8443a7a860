/// When the tokens of one answer came (a pure value; the caller reads the clock).
///
/// - TTFT: request received to first token emitted; contains queueing and prefill.
/// - ITL: the gap between two consecutive emissions of one answer; with drafts several tokens may
///   share one emission.
/// - End-to-end: request received to last token emitted.
/// - TPOT: (end-to-end − TTFT) ÷ (tokens − 1), one value for each answer.
/// - Queue time: request received to the answer's first pages.
///
/// All times are since one moment of the caller's choice.
public struct RequestTimeline: Equatable, Sendable {
    private let receivedAt: Duration
    private var beganAt: Duration?
    private var firstTokenAt: Duration?
    private var lastTokenAt: Duration?

    /// Tokens emitted so far.
    public private(set) var tokenCount = 0

    /// Opens a timeline for a request that was received at a moment.
    public init(receivedAt: Duration) { self.receivedAt = receivedAt }

    /// The sequence has its first pages.
    public mutating func onBegan(at moment: Duration) { beganAt = beganAt ?? moment }

    /// Tokens were emitted.
    ///
    /// - Returns: the gap to the emission before, the ITL; `nil` for the first.
    @discardableResult
    public mutating func onEmission(tokenCount count: Int, at moment: Duration) -> Duration? {
        let gap = lastTokenAt.map { moment - $0 }
        firstTokenAt = firstTokenAt ?? moment
        lastTokenAt = moment
        tokenCount += count
        return gap
    }

    /// Request received to first pages; `nil` before.
    public var queueTime: Duration? { beganAt.map { $0 - receivedAt } }

    /// TTFT; `nil` before the first token.
    public var timeToFirstToken: Duration? { firstTokenAt.map { $0 - receivedAt } }

    /// End-to-end; `nil` before the first token.
    public var endToEnd: Duration? { lastTokenAt.map { $0 - receivedAt } }

    /// TPOT; `nil` where there are fewer than two tokens.
    public var timePerOutputToken: Duration? {
        guard tokenCount > 1, let firstTokenAt, let lastTokenAt else { return nil }
        return (lastTokenAt - firstTokenAt) / (tokenCount - 1)
    }
}
