internal import SkeinCore
internal import SkeinTelemetry
internal import SkeinWire
internal import Synchronization

/// Notes what the lanes of one node do, on the node's clock; everything of the node shares one.
///
/// Noting takes a lock and a store. It is always on: a request for a trace finds out what was
/// going on when it asked, and the steps that are traced run as those that are not.
final class TimelineRecorder: Sendable {
    /// What a lane does now.
    private struct Open {
        let kind: IntervalKind
        let microBatch: MicroBatchID?
        let since: ContinuousClock.Instant
    }

    private struct State {
        var timeline = NodeTimeline()
        var open: [TraceLane: Open] = [:]
    }

    /// The zero of the node's clock.
    private let origin: ContinuousClock.Instant
    private let state = Mutex(State())

    init(origin: ContinuousClock.Instant) { self.origin = origin }

    /// Notes what has ended.
    func note(
        _ lane: TraceLane, _ kind: IntervalKind, of microBatch: MicroBatchID? = nil,
        layer: LayerIndex? = nil, from start: ContinuousClock.Instant,
        to end: ContinuousClock.Instant
    ) {
        let interval = TracedInterval(
            lane: lane, kind: kind, microBatch: microBatch, layer: layer,
            startMicroseconds: microseconds(start), endMicroseconds: microseconds(end))
        state.withLock { $0.timeline.note(interval) }
    }

    /// Says what a lane does from now on, for those who ask before it has ended.
    func begin(
        _ lane: TraceLane, _ kind: IntervalKind, of microBatch: MicroBatchID? = nil,
        at moment: ContinuousClock.Instant = .now
    ) {
        let open = Open(kind: kind, microBatch: microBatch, since: moment)
        state.withLock { $0.open[lane] = open }
    }

    /// Forgets what a lane does; the lane has ended.
    func close(_ lane: TraceLane) { state.withLock { $0.open[lane] = nil } }

    /// Answers the coordinator.
    func answer(_ request: TraceRequest) -> TraceAnswer {
        let now = microseconds(.now)
        return state.withLock { state in
            let excerpt = state.timeline.excerpt(
                after: request.afterNumber, countMax: Limits.timelineIntervalsMax)
            let open = request.wantsOpenIntervals ? state.open : [:]
            return TraceAnswer(
                firstNumber: excerpt.firstNumber, intervals: excerpt.intervals,
                openIntervals: open.sorted { $0.key < $1.key }.map { lane, open in
                    let since = microseconds(open.since)
                    return TracedInterval(
                        lane: lane, kind: open.kind, microBatch: open.microBatch,
                        startMicroseconds: since, endMicroseconds: max(since, now))
                })
        }
    }

    private func microseconds(_ moment: ContinuousClock.Instant) -> Int64 {
        let (seconds, attoseconds) = (moment - origin).components
        return max(0, seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }
}
