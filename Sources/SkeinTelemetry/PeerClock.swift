/// How a peer's clock stands to our own, learnt from questions and answers (a pure value).
///
/// ```
///  ours   asked ───────╮                   ╭──► returned
///  peer's              ╰─► heard … answered ─╯
/// ```
///
/// With the way out as long as the way back, the peer's clock is ahead by
/// `((heard - asked) + (answered - returned)) / 2`. Ways differ, but no estimate is wrong by more
/// than half of the time that the two ways took together. So of many samples the one with the
/// shortest ways wins (the rule of NTP's clock filter, RFC 5905, section 10), where an old sample
/// counts as worse by what two quartz clocks may have drifted since.
public struct PeerClock: Equatable, Sendable {
    /// One question and its answer, each moment on the clock of the peer that saw it.
    public struct Sample: Equatable, Sendable {
        /// We asked, on our clock.
        public var asked: Duration
        /// The peer heard it, on its clock.
        public var heard: Duration
        /// The peer answered, on its clock.
        public var answered: Duration
        /// We had the answer, on our clock.
        public var returned: Duration

        /// Describes a question and its answer.
        public init(asked: Duration, heard: Duration, answered: Duration, returned: Duration) {
            self.asked = asked
            self.heard = heard
            self.answered = answered
            self.returned = returned
        }

        /// How far the peer's clock is ahead of ours, if both ways are equally long.
        var lead: Duration { ((heard - asked) + (answered - returned)) / 2 }

        /// How long both ways took together.
        var ways: Duration { (returned - asked) - (answered - heard) }
    }

    /// Samples that compete: half a minute of heartbeats.
    static let samplesMax = 64

    /// What two clocks drift apart in a second at most: quartz keeps 50 millionths.
    static let driftShare = 0.000_1

    private var samples: [Sample] = []

    /// A clock of which nothing is known yet.
    public init() {}

    /// Takes in a sample; one that contradicts itself is dropped.
    public mutating func note(_ sample: Sample) {
        guard sample.answered >= sample.heard, sample.ways >= .zero else { return }
        samples.append(sample)
        if samples.count > Self.samplesMax { samples.removeFirst() }
    }

    /// How far the peer's clock is ahead of ours, and by how much that may be wrong; `nil` before
    /// the first sample.
    ///
    /// - Parameter moment: for when, on our clock.
    public func lead(at moment: Duration) -> (lead: Duration, error: Duration)? {
        let bounded = samples.map { sample in
            (sample.lead, sample.ways / 2 + Self.drift(between: sample.returned, moment))
        }
        return bounded.min { $0.1 < $1.1 }.map { (lead: $0.0, error: $0.1) }
    }

    private static func drift(between one: Duration, _ other: Duration) -> Duration {
        (other >= one ? other - one : one - other) * driftShare
    }
}
