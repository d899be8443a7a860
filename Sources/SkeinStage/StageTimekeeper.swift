internal import SkeinCore
internal import Synchronization

/// The clock of a stage, kept by its service and, where experts are remote, by its compute.
final class StageTimekeeper: Sendable {
    /// The zero of the stage's clock.
    let start = ContinuousClock.now

    private let clock: Mutex<StageClock>

    init(stage: StageIndex) { clock = Mutex(StageClock(stage: stage)) }

    /// Notes something.
    func note(_ body: (inout StageClock) -> Void) { clock.withLock { body(&$0) } }

    /// What was noted so remote.
    var noted: StageClock { clock.withLock { $0 } }
}
