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

    /// Runs `body` once for each row, on all threads.
    ///
    /// The compiler does not see that calls run beside each other: a call writes nothing that
    /// another one reads or writes. In Skein a call writes numbers of its own row.
    public func forEachRow(_ rowCount: Int, _ body: (_ row: Int) -> Void) {
        let tileCount = (rowCount + Self.tileRowCount - 1) / Self.tileRowCount
        withoutActuallyEscaping(body) { body in
            var region = (rowCount: rowCount, body: body)
            withUnsafeMutablePointer(to: &region) { region in
                skein_pool_lock(pool)
                skein_pool_run(
                    pool, tileCount,
                    { arguments, tile, _ in
                        guard let arguments else { return }
                        let region = arguments.assumingMemoryBound(
                            to: (rowCount: Int, body: (Int) -> Void).self
                        ).pointee
                        let first = tile * ComputePool.tileRowCount
                        for row in first..<min(first + ComputePool.tileRowCount, region.rowCount) {
                            region.body(row)
                        }
                    }, region)
                skein_pool_unlock(pool)
            }
        }
    }

    /// What `body` gives for each row, worked out on all threads.
    ///
    /// As with ``forEachRow(_:_:)``, a call writes nothing that another one reads or writes.
    public func mapRows<R>(_ rowCount: Int, _ body: (_ row: Int) -> R) -> [R] {
        [R](unsafeUninitializedCapacity: rowCount) { results, count in
            let base = results.baseAddress
            forEachRow(rowCount) { row in
                guard let base else { return }
                (base + row).initialize(to: body(row))
            }
            count = rowCount
        }
    }

    /// Rows that one thread takes at a time: so few are not worth waking another.
    private static let tileRowCount = 8
}
