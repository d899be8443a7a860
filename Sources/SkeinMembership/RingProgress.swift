public import SkeinCore

/// Tells whether micro-batches go round, and where one that does not was last seen (a value that
/// knows no clock).
///
/// Progress is a return, or a stage that has finished another micro-batch: a ring whose stages are
/// slow still moves, and only one in which nothing is finished at all stands still.
public struct RingProgress: Equatable, Sendable {
    /// What a stage says of its work.
    public struct StageWork: Equatable, Sendable {
        /// The stage.
        public var stage: StageIndex
        /// The node that holds it.
        public var node: String
        /// What it computes now.
        public var current: MicroBatchID?
        /// For how long it has computed that.
        public var currentTime: Duration
        /// What it finished last.
        public var last: MicroBatchID?

        /// Describes a stage's work.
        public init(
            stage: StageIndex, node: String, current: MicroBatchID? = nil,
            currentTime: Duration = .zero, last: MicroBatchID? = nil
        ) {
            self.stage = stage
            self.node = node
            self.current = current
            self.currentTime = currentTime
            self.last = last
        }
    }

    /// Where a micro-batch was last seen.
    public struct Whereabouts: Equatable, Sendable {
        /// The same for people.
        public var text: String
        /// The node that computes it, or was the last that did; `nil` where none has.
        public var node: String?

        /// Names a place.
        public init(text: String, node: String? = nil) {
            self.text = text
            self.node = node
        }
    }

    private var sentTimes: [MicroBatchID: Duration] = [:]
    private var works: [StageIndex: StageWork] = [:]
    private var workTimes: [StageIndex: Duration] = [:]
    private var newestReturned = MicroBatchID(rawValue: 0)
    /// How long micro-batches of late took to come back, the oldest in the place of the next.
    private var rounds: [Duration] = []
    private var nextRound = 0
    /// How often a micro-batch was taken for lost since one has come back.
    private var lossCount = 0
    private var lastProgress = Duration.zero

    /// Rounds that are remembered: some seconds to minutes of a busy ring, so that one pause does
    /// not make every later loss wait for twice its length.
    static let roundsMax = 100

    /// Begins with an empty ring.
    public init() {}

    /// A micro-batch went into the ring.
    public mutating func onSend(_ microBatch: MicroBatchID, now: Duration) {
        sentTimes[microBatch] = now
    }

    /// A micro-batch has gone round, or was given up.
    public mutating func onReturn(_ microBatch: MicroBatchID, now: Duration) {
        guard let sent = sentTimes.removeValue(forKey: microBatch) else { return }
        noteRound(now - sent)
        lossCount = 0
        newestReturned = max(newestReturned, microBatch)
        lastProgress = max(lastProgress, now)
    }

    /// A stage has told what it does.
    public mutating func onWork(_ work: StageWork, now: Duration) {
        if let last = work.last, last != works[work.stage]?.last {
            lastProgress = max(lastProgress, now)
        }
        works[work.stage] = work
        workTimes[work.stage] = now
    }

    private mutating func noteRound(_ round: Duration) {
        if rounds.count < Self.roundsMax {
            rounds.append(round)
        } else {
            rounds[nextRound] = round
            nextRound = (nextRound + 1) % Self.roundsMax
        }
    }

    /// The longest that a micro-batch of late took to come back.
    private var longestRound: Duration { rounds.max() ?? .zero }

    /// A node of the ring is gone: the next ring is another one, and what this one took tells
    /// nothing of it.
    public mutating func onNodeLost() {
        rounds = []
        nextRound = 0
    }

    /// A new placement: nothing that was in the ring counts any more.
    public mutating func onEpoch() {
        sentTimes = [:]
        works = [:]
        workTimes = [:]
    }

    /// Micro-batches in the ring.
    public var inFlightCount: Int { sentTimes.count }

    /// Their numbers, oldest first.
    public var inFlight: [MicroBatchID] { sentTimes.keys.sorted() }

    /// How long a micro-batch has been in the ring; `nil` for one that is not.
    public func timeInRing(of microBatch: MicroBatchID, now: Duration) -> Duration? {
        sentTimes[microBatch].map { now - $0 }
    }

    /// How long nothing has moved although there is work; `nil` where the ring is empty.
    public func standstill(now: Duration) -> Duration? {
        guard let oldest = sentTimes.values.min() else { return nil }
        return max(.zero, now - max(oldest, lastProgress))
    }

    /// The oldest micro-batch, where it must have been lost on its way; `nil` where it may still
    /// come.
    ///
    /// Whatever stages say, a ring in which nothing at all was finished for `stallPatience` is
    /// begun again: rows for remote experts, or theirs, may have been lost, and their stage would
    /// wait for ever. Here too the time doubles with every loss in a row.
    ///
    /// Stages and links keep the order of micro-batches. One that no stage computes was lost where
    /// a later one has come back before it, or where every stage has said since that it has nothing
    /// to do, both for some time: rows may be on a slow link. That time is twice the longest of the
    /// last rounds, and doubles with every loss in a row, so that what is slow is not replayed for
    /// ever.
    ///
    /// - Parameters:
    ///   - patience: the time at least.
    ///   - stallPatience: how long a ring may stand still although a stage computes.
    ///   - stageCount: stages that tell of their work.
    public func lost(
        after patience: Duration, orStalledFor stallPatience: Duration, stageCount: Int,
        now: Duration
    ) -> MicroBatchID? {
        let factor = 1 << min(lossCount, 6)
        if let standstill = standstill(now: now), standstill >= stallPatience * factor {
            return sentTimes.keys.min()
        }
        let wait = max(patience * factor, longestRound * 2)
        guard let (id, sent) = sentTimes.min(by: { $0.key < $1.key }), now - sent >= wait,
            !works.values.contains(where: { $0.current == id })
        else { return nil }
        if newestReturned > id { return id }
        guard let standstill = standstill(now: now), standstill >= wait else { return nil }
        let areIdle = works.count == stageCount && works.values.allSatisfy { $0.current == nil }
        let heard = workTimes.values.min() ?? .zero
        return areIdle && heard > now - standstill + wait / 2 ? id : nil
    }

    /// A micro-batch was taken for lost.
    public mutating func onLoss() { lossCount += 1 }

    /// Where the oldest micro-batch was last seen; `nil` where the ring is empty.
    public var whereabouts: Whereabouts? {
        guard let oldest = sentTimes.keys.min() else { return nil }
        let name = "micro-batch \(oldest.rawValue)"
        if let busy = works.values.first(where: { $0.current == oldest }) {
            return Whereabouts(
                text: "\(name) is in stage \(busy.stage.rawValue) on \(busy.node)", node: busy.node)
        }
        // Micro-batches keep their order, so a stage that finished a later one has finished this.
        let passed = works.values.filter { ($0.last?.rawValue ?? 0) >= oldest.rawValue }
        guard let last = passed.max(by: { $0.stage < $1.stage }) else {
            return Whereabouts(text: "\(name) was not seen by any stage")
        }
        return Whereabouts(
            text: "\(name) has left stage \(last.stage.rawValue) on \(last.node)", node: last.node)
    }
}
