internal import CSkeinKernels

/// Threads that compute: the caller and its companions share the tiles of one product at a time.
///
/// Results never depend on the thread count. One thread means the caller alone; nothing is spawned.
/// Several owners may share a pool: their products follow each other.
///
/// `@unchecked Sendable` is safe because every use of the C pool takes its lock first, and the
/// pointer itself never changes.
public final class ComputePool: @unchecked Sendable {
    let pool: OpaquePointer

    /// Threads that compute, the caller included.
    public let threadCount: Int

    /// The kernels that this pool runs.
    public let instructionSet: InstructionSet

    /// Makes a pool; its threads spin shortly for work and then sleep.
    ///
    /// - Parameters:
    ///   - threadCount: the caller included, at least 1.
    ///   - instructionSet: one of `Kernels.supported`.
    ///   - isPinned: whether each companion stays on its own processor.
    public init(
        threadCount: Int, instructionSet: InstructionSet = Kernels.chosen, isPinned: Bool = false
    ) {
        precondition(threadCount >= 1, "a pool has at least its caller: \(threadCount)")
        precondition(
            skein_isa_supported(instructionSet.rawValue),
            "this processor cannot run \(instructionSet)")
        guard let pool = skein_pool_create(threadCount, instructionSet.rawValue, isPinned) else {
            fatalError("the system gave no \(threadCount) threads")
        }
        self.pool = pool
        self.threadCount = threadCount
        self.instructionSet = instructionSet
    }

    deinit { skein_pool_destroy(pool) }
}
