import SkeinCore

/// Remembers how often a node has failed of late, and for how long it should not be counted on (a
/// value that knows no clock).
///
/// The first death is an accident. One that follows another within a quiet time shows a node that
/// flaps, and each costs its cluster a load and a replay: so it is kept out for `firstPause`, and
/// twice as long each time, up to `pauseMax`. A node that could not load what it was given is kept
/// out from the first time, since the same would happen again.
public struct Steadiness: Equatable, Sendable {
    /// How long nodes are kept out.
    public struct Patience: Equatable, Sendable {
        /// The first pause: longer than a process takes to fail again in the same way.
        public var firstPause: Duration = .seconds(60)

        /// The longest pause: longer ones would only hide a node that somebody has repaired.
        public var pauseMax: Duration = .seconds(960)

        /// Time without trouble after which everything is forgotten; longer than any pause.
        public var quietTime: Duration = .seconds(1_800)

        /// The usual times.
        public init() {}
    }

    private let patience: Patience
    private var troubleCount = 0
    private var lastTrouble: Duration?

    /// When the pause is over; `nil` where there is none.
    public private(set) var keptOutUntil: Duration?

    /// Begins with a node that never failed.
    public init(patience: Patience = Patience()) { self.patience = patience }

    /// Notes that the node died.
    public mutating func onDeath(now: Duration) {
        count(now: now)
        if troubleCount > 1 { keepOut(doublings: troubleCount - 2, now: now) }
    }

    /// Notes that the node could not load its slices.
    public mutating func onLoadFault(now: Duration) {
        count(now: now)
        keepOut(doublings: troubleCount - 1, now: now)
    }

    /// Whether the node should not be counted on now.
    public func isKeptOut(now: Duration) -> Bool {
        keptOutUntil.map { now < $0 } ?? false
    }

    private mutating func count(now: Duration) {
        if let last = lastTrouble, now - last >= patience.quietTime {
            troubleCount = 0
            keptOutUntil = nil
        }
        troubleCount += 1
        lastTrouble = now
    }

    private mutating func keepOut(doublings: Int, now: Duration) {
        let pause = min(patience.firstPause * (1 << min(doublings, 20)), patience.pauseMax)
        keptOutUntil = max(keptOutUntil ?? .zero, now + pause)
    }
}
