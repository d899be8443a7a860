public import SkeinCore

extension SchedulePlan {
    /// The numbers by which a coordinator begins; measurements change the counts later.
    ///
    /// - Parameter computeOwners: for every stage, the number of the compute threads that run it.
    public static func serving(
        _ settings: ServingSettings, computeOwners: [Int]
    ) -> SchedulePlan {
        let ownerCount = Set(computeOwners).count
        let inFlightMax = creditCount(
            asked: settings.microBatchesInFlightMax, stageCount: computeOwners.count)
        var plan = SchedulePlan(
            stageCount: computeOwners.count, pageCount: settings.pageCount,
            positionCountMax: settings.positionCount, microBatchesInFlightMax: inFlightMax,
            decodeMicroBatchCount: min(ownerCount, inFlightMax),
            // While chunks go round alone, the next one waits at the first stage.
            prefillMicroBatchCount: min(ownerCount + 1, inFlightMax),
            prefillBudget: PrefillBudget(rowsMax: settings.prefillRowsMax),
            computeOwners: computeOwners, followsMeasurements: true,
            reusesPrefixes: settings.reusesPrefixes)
        plan.speculation = settings.speculation
        return plan
    }

    /// Credits of a ring: those asked for, or one micro-batch computing and one waiting on every
    /// stage, and as many on the way.
    public static func creditCount(asked: Int?, stageCount: Int) -> Int {
        min(asked ?? 4 * stageCount, Limits.microBatchesInFlightMax)
    }
}
