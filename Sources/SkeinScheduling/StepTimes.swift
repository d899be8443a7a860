import SkeinCore

/// How long the slowest stage's step takes, by the number of its rows, as measured.
///
/// The time does not grow evenly: a few rows read a few experts each, some dozens read all of them
/// once, and only then does every row cost the same. So nothing is fitted; times are kept for some
/// numbers of rows, and a micro-batch that takes rows of a prompt along is filled up to one of
/// these.
struct StepTimes: Equatable, Sendable {
    /// Rows for which times are kept: twelve for every factor of sixteen, up to a full micro-batch.
    static let rowCounts: [Int] = {
        var counts = [1, 2, 3]
        var power = 4
        while power <= Limits.microBatchRowsMax {
            counts += [power, power + power / 2]
            power *= 2
        }
        return counts.filter { $0 <= Limits.microBatchRowsMax }
    }()

    /// Steps whose median counts: one that was disturbed must not decide.
    private static let samplesMax = 5

    /// Steps after which a measured time is old, and worth another look.
    private static let stepsUntilOld = 256

    private struct Times: Equatable {
        var samples: [Duration] = []
        var newest = 0
        var measuredAt = 0

        var median: Duration? {
            samples.isEmpty ? nil : samples.sorted()[samples.count / 2]
        }

        mutating func add(_ time: Duration, at step: Int) {
            if samples.count < StepTimes.samplesMax {
                samples.append(time)
            } else {
                samples[newest] = time
            }
            newest = (newest + 1) % StepTimes.samplesMax
            measuredAt = step
        }
    }

    private var times = [Times](repeating: Times(), count: Self.rowCounts.count)
    private var stepCount = 0

    /// Takes in the slowest stage's time for a micro-batch of so many rows.
    mutating func onStep(rowCount: Int, time: Duration) {
        stepCount += 1
        times[Self.place(of: rowCount)].add(time, at: stepCount)
    }

    /// Whether nothing was measured so far.
    var isEmpty: Bool { stepCount == 0 }

    /// Whether the time for so many rows was measured lately.
    func isKnown(rowCount: Int) -> Bool { isFresh(Self.place(of: rowCount)) }

    /// The time for so many rows, if it was ever measured.
    func time(ofRows rowCount: Int) -> Duration? { times[Self.place(of: rowCount)].median }

    /// The most rows that a micro-batch with `ownRows` may be filled up to, so that its step keeps
    /// within `bound`.
    ///
    /// What was not measured lately may be tried, one size beyond what is known to fit.
    func rowsMax(ownRows: Int, within bound: Duration) -> Int {
        var place = Self.place(of: ownRows)
        while place + 1 < Self.rowCounts.count {
            guard isFresh(place + 1), let time = times[place + 1].median else {
                return Self.rowCounts[place + 1]
            }
            guard time <= bound else { break }
            place += 1
        }
        return max(ownRows, Self.rowCounts[place])
    }

    private func isFresh(_ place: Int) -> Bool {
        !times[place].samples.isEmpty
            && stepCount - times[place].measuredAt < Self.stepsUntilOld
    }

    /// The smallest of the kept numbers that is not below `rowCount`.
    private static func place(of rowCount: Int) -> Int {
        rowCounts.firstIndex { $0 >= rowCount } ?? rowCounts.count - 1
    }
}
