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

    private var sentTimes: [MicroBatchID: Duration] = [:]
    private var works: [StageIndex: StageWork] = [:]
    private var lastProgress = Duration.zero

    /// Begins with an empty ring.
    public init() {}

    /// A micro-batch went into the ring.
    public mutating func onSend(_ microBatch: MicroBatchID, now: Duration) {
        sentTimes[microBatch] = now
    }

    /// A micro-batch has gone round, or was given up.
    public mutating func onReturn(_ microBatch: MicroBatchID, now: Duration) {
        guard sentTimes.removeValue(forKey: microBatch) != nil else { return }
        lastProgress = max(lastProgress, now)
    }

    /// A stage has told what it does.
    public mutating func onWork(_ work: StageWork, now: Duration) {
        if let last = work.last, last != works[work.stage]?.last {
            lastProgress = max(lastProgress, now)
        }
        works[work.stage] = work
    }

    /// A new placement: nothing that was in the ring counts any more.
    public mutating func onEpoch() {
        sentTimes = [:]
        works = [:]
    }

    /// Micro-batches in the ring.
    public var inFlightCount: Int { sentTimes.count }

    /// How long nothing has moved although there is work; `nil` where the ring is empty.
    public func standstill(now: Duration) -> Duration? {
        guard let oldest = sentTimes.values.min() else { return nil }
        return max(.zero, now - max(oldest, lastProgress))
    }

    /// Where the oldest micro-batch was last seen, for people; `nil` where the ring is empty.
    public var whereabouts: String? {
        guard let oldest = sentTimes.keys.min() else { return nil }
        let name = "micro-batch \(oldest.rawValue)"
        if let busy = works.values.first(where: { $0.current == oldest }) {
            return "\(name) is in stage \(busy.stage.rawValue) on \(busy.node)"
        }
        // Micro-batches keep their order, so a stage that finished a later one has finished this.
        let passed = works.values.filter { ($0.last?.rawValue ?? 0) >= oldest.rawValue }
        guard let last = passed.max(by: { $0.stage < $1.stage }) else {
            return "\(name) was not seen by any stage"
        }
        return "\(name) has left stage \(last.stage.rawValue) on \(last.node)"
    }
}
