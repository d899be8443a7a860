import SkeinCore

/// What rounds of decode micro-batches took lately: compute of every stage, and the time between
/// stages.
struct RingTimes: Equatable, Sendable {
    /// Rounds that count: some seconds of decoding.
    private static let roundsMax = 64

    /// Rounds that must agree before the number of micro-batches changes.
    private static let agreeingRoundsMin = 8

    private var stageTimes: [[Duration]] = []
    private var wayTimes: [Duration] = []
    private var newest = 0
    private var wanted = 0
    private var agreeingCount = 0

    /// Takes in one round.
    ///
    /// - Parameters:
    ///   - stageTimes: Compute of every stage, in ring order.
    ///   - roundTime: From sending the micro-batch to its return.
    mutating func onRound(stageTimes: [Duration], roundTime: Duration) {
        if self.stageTimes.first?.count != stageTimes.count { self = RingTimes() }
        let way = max(.zero, roundTime - stageTimes.reduce(.zero, +))
        if self.stageTimes.count < Self.roundsMax {
            self.stageTimes.append(stageTimes)
            wayTimes.append(way)
        } else {
            self.stageTimes[newest] = stageTimes
            wayTimes[newest] = way
        }
        newest = (newest + 1) % Self.roundsMax
    }

    /// The middle of each stage's times.
    var stageMedians: [Duration] {
        (stageTimes.first ?? []).indices.map { stage in
            stageTimes.map { $0[stage] }.sorted()[stageTimes.count / 2]
        }
    }

    /// The shortest way.
    var way: Duration { wayTimes.min() ?? .zero }

    /// The number of decode micro-batches that keeps the nodes busy, once it is clear.
    ///
    /// The shortest way of late is the one on which the micro-batch did not queue behind others.
    ///
    /// - Parameter owners: For every stage, the number of the compute threads that run it.
    mutating func microBatchCount(owners: [Int]) -> Int? {
        guard stageTimes.first?.count == owners.count,
            stageTimes.count >= Self.agreeingRoundsMin
        else { return nil }
        let count = RingArithmetic(
            stageSeconds: stageMedians.map { $0 / .seconds(1) }, owners: owners,
            waySeconds: way / .seconds(1)
        ).microBatchCount
        agreeingCount = count == wanted ? agreeingCount + 1 : 1
        wanted = count
        return agreeingCount >= Self.agreeingRoundsMin ? count : nil
    }
}
