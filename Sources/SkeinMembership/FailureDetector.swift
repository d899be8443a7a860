/// Judges from the times of its signs of life whether a peer is alive, late or gone.
///
/// A sign of life comes from a task of its own, so a node that computes for long still gives one:
/// slow is not dead. How late is suspicious follows from how regular the peer was: the mean gap
/// between signs plus `deviations` times their mean deviation, but never less than `suspectAfter`;
/// a peer whose signs come irregularly over a bad link is given more time, up to half of
/// `deadAfter`. Dead is a fixed bound, since replaying early costs work and late costs everyone's
/// patience.
public struct FailureDetector: Equatable, Sendable {
    /// How patient the detector is.
    public struct Patience: Equatable, Sendable {
        /// How often peers are asked to give a sign.
        public var heartbeat: Duration

        /// Silence that is suspicious at the earliest.
        public var suspectAfter: Duration

        /// Silence that is death.
        public var deadAfter: Duration

        /// Silence after a broken connection that is death: time to connect again and to answer.
        public var brokenAfter: Duration

        /// Mean deviations above the mean gap that are still usual.
        public var deviations: Int

        /// Sets the bounds; three lost signs are suspicious, ten are death.
        ///
        /// - Precondition: `0 < heartbeat < suspectAfter < deadAfter`.
        public init(
            heartbeat: Duration = .milliseconds(500), suspectAfter: Duration? = nil,
            deadAfter: Duration? = nil, deviations: Int = 8
        ) {
            self.heartbeat = heartbeat
            self.suspectAfter = suspectAfter ?? heartbeat * 3
            self.deadAfter = deadAfter ?? heartbeat * 10
            brokenAfter = heartbeat * 4
            self.deviations = deviations
            precondition(
                .zero < heartbeat && heartbeat < self.suspectAfter
                    && self.suspectAfter < self.deadAfter, "bounds of patience out of order")
        }
    }

    /// What the silence means.
    public enum Verdict: Equatable, Sendable {
        /// A sign came lately enough.
        case alive
        /// It is late; it may be slow, or the link may be.
        case suspect
        /// It is taken for gone.
        case dead
    }

    private let patience: Patience
    private var lastSign: Duration
    private var gap: Duration
    private var deviation = Duration.zero

    /// Begins with a sign of life now.
    public init(patience: Patience, now: Duration) {
        self.patience = patience
        lastSign = now
        gap = patience.heartbeat
    }

    /// Notes a sign of life; one that is older than the last changes nothing.
    public mutating func onSign(now: Duration) {
        guard now > lastSign else { return }
        let latest = now - lastSign
        lastSign = now
        // Running means with the weights of TCP's round-trip estimate (RFC 6298).
        let error = latest - gap
        gap += error / 8
        deviation += ((error < .zero ? .zero - error : error) - deviation) / 4
    }

    /// Notes that nobody listened for so long: what the peer said meanwhile is not heard yet.
    public mutating func onDeafness(_ time: Duration, now: Duration) {
        lastSign = min(now, lastSign + max(.zero, time))
    }

    /// How long the peer has been silent.
    public func silence(now: Duration) -> Duration { max(.zero, now - lastSign) }

    /// Silence that is suspicious, by what this peer was like so far.
    public var suspectAfter: Duration {
        let usual = gap + deviation * patience.deviations
        return min(
            max(patience.suspectAfter, usual), max(patience.suspectAfter, patience.deadAfter / 2))
    }

    /// What the silence means now.
    public func verdict(now: Duration) -> Verdict {
        let silence = silence(now: now)
        if silence >= patience.deadAfter { return .dead }
        return silence >= suspectAfter ? .suspect : .alive
    }
}
