internal import SkeinCore
internal import SkeinWire

/// Adds up where a stage's time goes, and the recent steps' times (a pure value: the caller reads
/// the clock).
struct StageClock {
    /// Steps remembered for the percentiles: some seconds of decoding.
    static let recentStepsMax = 512

    private(set) var times: StageTimes
    private(set) var doneStepCount: UInt64 = 0
    private(set) var doneRowCount: UInt64 = 0
    private var recentStepsMicroseconds: [UInt64] = []
    private var oldestStep = 0
    private var recentRows: [(at: Duration, count: Int)] = []

    init(stage: StageIndex) {
        times = StageTimes(stage: stage)
    }

    /// The steps that are begun, in their order; more than one only where some wait for experts
    /// elsewhere.
    private var begun: [(microBatch: MicroBatchID, start: Duration)] = []
    private var quietSince = Duration.zero

    /// A step begins.
    mutating func onBegin(_ microBatch: MicroBatchID, start: Duration) {
        begun.append((microBatch, start))
    }

    /// Where the time went, with what is being computed at `now`.
    func times(now: Duration) -> StageTimes {
        var told = times
        let current = begun.first
        told.currentMicroBatch = current?.microBatch
        told.currentStepMicroseconds = current.map { (now - $0.start).wholeMicroseconds } ?? 0
        return told
    }

    /// A step ran from `start` to `end`; the stage had waited for it since `idleSince`.
    mutating func onStep(idleSince: Duration, start: Duration, end: Duration, rowCount: Int) {
        quietSince = idleSince
        onCompute(start: start, end: end)
        onEnd(begun.first?.microBatch, computed: end - start, end: end, rowCount: rowCount)
    }

    /// The stage computed from `start` to `end`, for any of its steps.
    ///
    /// - Parameter isAwaitingExperts: whether until then it had a step that waited for experts.
    mutating func onCompute(start: Duration, end: Duration, isAwaitingExperts: Bool = false) {
        let gap = max(.zero, start - quietSince).wholeMicroseconds
        if isAwaitingExperts {
            times.waitingCombineMicroseconds += gap
        } else {
            times.waitingInMicroseconds += gap
        }
        times.busyMicroseconds += (end - start).wholeMicroseconds
        quietSince = max(quietSince, end)
    }

    /// A step has ended, for which the stage computed some time.
    mutating func onEnd(
        _ microBatch: MicroBatchID?, computed: Duration, end: Duration, rowCount: Int
    ) {
        times.lastMicroBatch = microBatch
        begun.removeAll { $0.microBatch == microBatch }
        let step = computed.wholeMicroseconds
        doneStepCount += 1
        doneRowCount += UInt64(rowCount)
        if recentStepsMicroseconds.count < Self.recentStepsMax {
            recentStepsMicroseconds.append(step)
        } else {
            recentStepsMicroseconds[oldestStep] = step
            oldestStep = (oldestStep + 1) % Self.recentStepsMax
        }
        recentRows.append((end, rowCount))
        if recentRows.count > Self.recentStepsMax { recentRows.removeFirst() }
    }

    /// The outcome of a step was packed and handed to its link between `start` and `end`.
    mutating func onSent(start: Duration, end: Duration) {
        times.sendingMicroseconds += (end - start).wholeMicroseconds
        quietSince = max(quietSince, end)
    }

    /// The time that `share` of the recent steps did not exceed.
    func stepPercentileMicroseconds(_ share: Double) -> UInt64 {
        let sorted = recentStepsMicroseconds.sorted()
        guard !sorted.isEmpty else { return 0 }
        return sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
    }

    /// Rows a second over the ten seconds before `now`.
    func rowsPerSecond(now: Duration) -> Double {
        var window = Duration.seconds(10)
        // Of a stage that is faster than we remember, the rate is that of what we remember.
        if recentRows.count == Self.recentStepsMax, let oldest = recentRows.first {
            window = min(window, max(now - oldest.at, .milliseconds(1)))
        }
        let rows = recentRows.lazy.filter { now - $0.at <= window }.reduce(0) { $0 + $1.count }
        return Double(rows) / (min(window, max(now, .seconds(1))) / .seconds(1))
    }
}
