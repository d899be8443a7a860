import Foundation
import SkeinCore
import Testing

@testable import SkeinRollout

/// Advantages are those of an independent computation in float64 (`grpo.json`).
@Suite struct AdvantageFormTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()

    private static let vectors: JSONValue = {
        let path = root.appending(path: "Golden/oracle/vectors/grpo.json").path()
        do {
            let bytes = Array(try Data(contentsOf: URL(filePath: path)))
            return try JSONValue(parsing: bytes, subject: path)
        } catch {
            preconditionFailure("\(error)")
        }
    }()

    private static func numbers(_ value: JSONValue?) throws -> [Double?] {
        try #require(value?.array).map(\.double)
    }

    private static func form(_ setting: JSONValue) throws -> AdvantageForm {
        let isDivided = try #require(setting["normalise"]?.bool as Bool?)
        let isSample = try #require(setting["ddof"]?.integer) == 1
        return AdvantageForm(
            deviation: isDivided ? (isSample ? .sample : .population) : nil,
            epsilon: try #require(setting["epsilon"]?.double))
    }

    private static func compare(
        _ found: [Double?], _ wanted: [Double?], size: Double, _ place: String
    ) {
        #expect(found.count == wanted.count)
        // The bound of the vectors: 1e-9, and 1e-6 where rewards near a million cancel.
        let bound = size > 1e5 ? 1e-6 : 1e-9
        for (one, other) in zip(found, wanted) {
            guard let one, let other else {
                #expect(one == nil && other == nil, "\(place): a reward is missing")
                continue
            }
            let isZero = other == 0 && one == 0
            #expect(isZero || abs(one - other) <= bound * abs(other), "\(place): \(one), \(other)")
        }
    }

    @Test func everyCaseOfTheVectorsIsMet() throws {
        for setting in try #require(Self.vectors["settings"]?.array) {
            let form = try Self.form(setting)
            let name = try #require(setting["name"]?.string)
            for one in try #require(Self.vectors["cases"]?.array) {
                let rewards = try Self.numbers(one["rewards"])
                let size = rewards.compactMap { $0.map { abs($0) } }.max() ?? 0
                Self.compare(
                    form.advantages(of: rewards), try Self.numbers(one["advantages"]?[name]),
                    size: size, "\(name), \(rewards)")
            }
        }
    }

    @Test func promptsOfDifferentSizesAreComputedApart() throws {
        let many = try #require(Self.vectors["batch"])
        let rewards = try Self.numbers(many["rewards"])
        for setting in try #require(Self.vectors["settings"]?.array) {
            let form = try Self.form(setting)
            let name = try #require(setting["name"]?.string)
            var found: [Double?] = []
            for size in try Self.numbers(many["group_sizes"]) {
                let count = Int(try #require(size))
                found += form.advantages(of: Array(rewards[found.count..<(found.count + count)]))
            }
            Self.compare(found, try Self.numbers(many["advantages"]?[name]), size: 1, name)
        }
    }

    @Test func severalRewardsAreOneSum() throws {
        let several = try #require(Self.vectors["several"])
        let weights = RewardWeights(try Self.numbers(several["weights"]).compactMap { $0 })
        let rewards = try #require(several["rewards"]?.array).map { try Self.numbers($0) }
        let totals = try #require(rewards.first).indices.map { place in
            weights.total(of: rewards.map { $0[place] })
        }
        #expect(totals == (try Self.numbers(several["total"])))
        for setting in try #require(Self.vectors["settings"]?.array) {
            let name = try #require(setting["name"]?.string)
            Self.compare(
                try Self.form(setting).advantages(of: totals),
                try Self.numbers(several["advantages"]?[name]), size: 1, name)
        }
        #expect(RewardWeights([1, 1]).total(of: [nil, nil]) == nil)
    }

    @Test func namedFormsAreThoseOfTheVectors() throws {
        let settings = try #require(Self.vectors["settings"]?.array)
        #expect(try Self.form(settings[0]) == .trl)
        #expect(try Self.form(settings[1]) == .verl)
        let last = try Self.form(settings[3])
        #expect(last.deviation == nil && AdvantageForm.drGRPO.deviation == nil)
    }

    @Test(arguments: [AdvantageForm.trl, .verl, .drGRPO])
    func equalRewardsGiveExactZeros(_ form: AdvantageForm) {
        // The mean of three times 0.1 is not 0.1 in floating point.
        #expect(form.advantages(of: [0.1, 0.1, nil, 0.1]) == [0, 0, nil, 0])
        #expect(form.advantages(of: [nil, 0.7]) == [nil, 0])
        #expect(form.advantages(of: [nil, nil]) == [nil, nil])
        #expect(form.advantages(of: []) == [])
    }
}
