internal import SkeinCore
internal import SkeinMembership
internal import SkeinTelemetry
internal import SkeinWire

/// What a node has said of itself, and what the coordinator has measured of it.
struct NodeRecord: Sendable {
    /// Whether a link to it is open.
    var isLinked = false
    /// Where its inbox listens; `nil` without a link.
    var address: String?
    /// A hello that waits for its link.
    var pendingHello: (hello: Hello, report: NodeReport)?
    /// Whether it was told apart from strangers and has joined since it was last lost.
    var hasJoined = false
    /// What it said when it came.
    var hello: Hello?
    /// The CURVE key that it has proven, where links have keys.
    var provenKey: String?
    /// Its last vital signs.
    var alive: Alive?
    /// When they came.
    var aliveAt = Duration.zero
    /// How long a heartbeat and its answer take.
    var roundTrip: RoundTrip?
    /// How its clock stands to the coordinator's.
    var clock = PeerClock()
    /// Bytes of weights that its slices touch, once it has loaded them.
    var weightBytes: UInt64?
    /// Bytes of slices and shards that it has room for; `nil` where it does not say.
    var roomBytes: Int?
    /// The same when it last came and held nothing.
    var emptyRoomBytes: Int?
    /// Why it was last not let in.
    var refusal: Refusal?
    /// When it was lost or not let in.
    var troubleAt: Duration?

    /// Takes in vital signs.
    ///
    /// - Returns: the time since the heartbeat that they answer.
    mutating func note(_ alive: Alive, now: Duration) -> Duration? {
        self.alive = alive
        aliveAt = now
        guard
            let trip = RoundTrip.measured(
                echoedMicroseconds: alive.echoedAtMicroseconds, now: now)
        else { return nil }
        if alive.heardAtMicroseconds > 0 {
            clock.note(
                PeerClock.Sample(
                    asked: now - trip,
                    heard: .microseconds(Int64(clamping: alive.heardAtMicroseconds)),
                    answered: .microseconds(Int64(clamping: alive.sentAtMicroseconds)),
                    returned: now))
        }
        if roundTrip == nil { roundTrip = RoundTrip(trip) } else { roundTrip?.note(trip) }
        return trip
    }

    /// The last thing that went wrong there and how long ago, by its own words.
    func lastError(now: Duration) -> (line: String, age: Duration)? {
        guard let alive, !alive.lastError.isEmpty else { return nil }
        let age = Int64(clamping: alive.lastErrorAgeMicroseconds)
        return (alive.lastError, .microseconds(age) + (now - aliveAt))
    }
}
