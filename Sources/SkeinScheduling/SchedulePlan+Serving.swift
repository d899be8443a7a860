import SkeinCore

extension SchedulePlan {
    /// The numbers by which a coordinator begins; measurements change the counts later.
    ///
    /// - Parameters:
    ///   - computeOwners: for every stage, the number of the compute threads that run it.
    ///   - microBatchesInFlightMax: credits, where not what the number of stages suggests.
    public static func serving(
        computeOwners: [Int], pageCount: Int, positionCountMax: Int,
        microBatchesInFlightMax: Int? = nil, prefillBudget: PrefillBudget = PrefillBudget(),
        reusesPrefixes: Bool = true
    ) -> SchedulePlan {
        let ownerCount = Set(computeOwners).count
        let inFlightMax = creditCount(
            asked: microBatchesInFlightMax, stageCount: computeOwners.count)
        return SchedulePlan(
            stageCount: computeOwners.count, pageCount: pageCount,
            positionCountMax: positionCountMax, microBatchesInFlightMax: inFlightMax,
            decodeMicroBatchCount: min(ownerCount, inFlightMax),
            // While chunks go round alone, the next one waits at the first stage.
            prefillMicroBatchCount: min(ownerCount + 1, inFlightMax),
            prefillBudget: prefillBudget, computeOwners: computeOwners, followsMeasurements: true,
            reusesPrefixes: reusesPrefixes)
    }

    /// Credits of a ring: those asked for, or one micro-batch computing and one waiting on every
    /// stage, and as many on the way.
    public static func creditCount(asked: Int?, stageCount: Int) -> Int {
        min(asked ?? 4 * stageCount, Limits.microBatchesInFlightMax)
    }
}
