public import SkeinCore

extension SchedulePlan {
    /// The numbers by which a coordinator begins; measurements change the counts later.
    ///
    /// - Parameter computeOwners: for every stage, the number of the compute threads that run it.
    public static func serving(
        _ settings: ServingSettings, computeOwners: [Int]
    ) -> SchedulePlan {
        let ownerCount = Set(computeOwners).count
        // One computing and one waiting on every stage, and as many on the way.
        let inFlightMax = min(
            settings.microBatchesInFlightMax ?? 4 * computeOwners.count,
            Limits.microBatchesInFlightMax)
        return SchedulePlan(
            stageCount: computeOwners.count, pageCount: settings.pageCount,
            positionCountMax: settings.positionCount, microBatchesInFlightMax: inFlightMax,
            decodeMicroBatchCount: min(ownerCount, inFlightMax),
            // While chunks go round alone, the next one waits at the first stage.
            prefillMicroBatchCount: min(ownerCount + 1, inFlightMax),
            prefillBudget: PrefillBudget(rowsMax: settings.prefillRowsMax),
            computeOwners: computeOwners, followsMeasurements: true,
            reusesPrefixes: settings.reusesPrefixes)
    }
}
