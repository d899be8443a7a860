/// Judges from the times of its signs of life whether a peer is alive, late or gone.
///
/// A sign of life comes from a task of its own, so a node that computes for long still gives one:
/// slow is not dead. How late is suspicious follows from how regular the peer was: the mean gap
/// between signs plus `deviations` times their mean deviation, but never less than `suspectAfter`;
/// a peer whose signs come irregularly over a bad link is given more time, up to half of
/// `deadAfter`. Replaying early costs work and late costs everyone's patience, so a peer that was
/// regular for long is dead after `surelyDeadAfter`, and one that was not after up to `deadAfter`.
/// Where answers to heartbeats are slow, all of these bounds are later by some round trips.
public struct FailureDetector: Equatable, Sendable {
    /// How patient the detector is.
    public struct Patience: Equatable, Sendable {
        /// How often peers are asked to give a sign.
        public var heartbeat: Duration

        /// Silence that is suspicious at the earliest.
        public var suspectAfter: Duration

        /// Silence that is death.
        public var deadAfter: Duration

        /// Silence that is death for a peer whose signs have always come in time; a node gives
        /// them while it computes, so that no step, however long, is taken for silence.
        public var surelyDeadAfter: Duration

        /// Signs after which it is known how regular a peer is.
        public static let knownAfterCount = 10

        /// Silence after a broken connection that is death: time to connect again and to answer.
        public var brokenAfter: Duration

        /// Mean deviations above the mean gap that are still usual.
        public var deviations: Int

        /// Sets the bounds; three lost signs are suspicious, ten are death, and of a peer that was
        /// always regular five.
        ///
        /// - Precondition: `0 < heartbeat < suspectAfter < deadAfter`.
        public init(
            heartbeat: Duration = .milliseconds(500), suspectAfter: Duration? = nil,
            deadAfter: Duration? = nil, deviations: Int = 8
        ) {
            self.heartbeat = heartbeat
            self.suspectAfter = suspectAfter ?? heartbeat * 3
            self.deadAfter = deadAfter ?? heartbeat * 10
            surelyDeadAfter = min(self.deadAfter, max(self.suspectAfter, heartbeat * 5))
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
    /// The same of answers to heartbeats, on the asker's clock.
    private var trip = Duration.zero
    private var tripDeviation = Duration.zero
    private var signCount = 0

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
        signCount += 1
        // Running means with the weights of TCP's round-trip estimate (RFC 6298).
        let error = latest - gap
        gap += error / 8
        deviation += (error.magnitude - deviation) / 4
    }

    /// Notes how long a heartbeat and its answer took.
    public mutating func onRoundTrip(_ measured: Duration) {
        let error = measured - trip
        trip += error / 8
        tripDeviation += (error.magnitude - tripDeviation) / 4
    }

    /// How much later than usual an answer may come because the way is slow: not for ever, since a
    /// way of many heartbeats carries no ring.
    private var slowness: Duration {
        min(trip + tripDeviation * 4, patience.deadAfter)
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

    /// Silence that is death, by what this peer was like so far.
    public var deadAfter: Duration {
        guard signCount >= Patience.knownAfterCount else { return patience.deadAfter + slowness }
        let usual = gap + deviation * (2 * patience.deviations)
        return min(max(patience.surelyDeadAfter, usual), patience.deadAfter) + slowness
    }

    /// Silence after a broken connection that is death.
    public var brokenAfter: Duration { patience.brokenAfter + slowness }

    /// What the silence means now.
    public func verdict(now: Duration) -> Verdict {
        let silence = silence(now: now)
        if silence >= deadAfter { return .dead }
        return silence >= suspectAfter ? .suspect : .alive
    }
}

extension Duration {
    fileprivate var magnitude: Duration { self < .zero ? .zero - self : self }
}
