internal import Foundation
internal import Synchronization

/// A thread of its own that runs the compute of stages, one job after the other.
///
/// A step occupies its thread for milliseconds to seconds. On Swift's cooperative pool, which has
/// one thread a core, two such steps would leave nobody to receive, send or answer; so stages name
/// this executor and the pool stays free. Stages that share a `ComputeThread` never compute at the
/// same time, which is right for stages that share the cores of one machine.
public final class ComputeThread: SerialExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let arrivals = DispatchSemaphore(value: 0)

    /// Starts the thread.
    ///
    /// - Parameter name: shown by debuggers and `top -H`.
    public init(name: String) {
        let thread = Thread { [weak self, arrivals] in
            while true {
                arrivals.wait()
                // The executor must outlive the job, and the job may hold its last reference.
                guard let executor = self, executor.runNext() else { return }
            }
        }
        thread.name = name
        thread.stackSize = 8 << 20
        thread.start()
    }

    deinit {
        state.withLock { $0.isClosed = true }
        arrivals.signal()
    }

    /// Queues a job of an actor that runs here.
    public func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        state.withLock { $0.jobs.append(unowned) }
        arrivals.signal()
    }

    /// The reference that an actor returns from `unownedExecutor`.
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    private func runNext() -> Bool {
        let job: UnownedJob? = state.withLock { state in
            guard !state.isClosed, !state.jobs.isEmpty else { return nil }
            return state.jobs.removeFirst()
        }
        guard let job else { return false }
        job.runSynchronously(on: asUnownedSerialExecutor())
        return true
    }
}
