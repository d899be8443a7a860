import Foundation
import Testing

/// Activations that travel as FP8: another answer than in BF16, and always the same one.
///
/// What decides is where the layers are cut. Whatever else differs, the bytes are those of the
/// plainest way with that cut.
@Suite struct HopFormTests {
    /// A way to run a prompt over a number of stages.
    struct Way: CustomTestStringConvertible, Sendable {
        let stageCount: Int
        let way: SamenessTests.Way

        init(
            _ stageCount: Int, _ arguments: [String], instructionSet: String? = nil,
            isInCrowd: Bool = false
        ) {
            self.stageCount = stageCount
            way = SamenessTests.Way(
                arguments: arguments + ["--hop", "fp8"], instructionSet: instructionSet,
                isInCrowd: isInCrowd)
        }

        var testDescription: String { way.testDescription }
    }

    static let ways: [Way] = [
        Way(2, ["--stages", "2"]),
        Way(2, ["--stages", "2", "--chunk", "7", "--threads", "2"]),
        Way(2, ["--stages", "2", "--processes", "--chunk", "64"]),
        Way(2, ["--stages", "2", "--experts", "2"]),
        Way(2, ["--stages", "2"], instructionSet: "scalar"),
        Way(2, ["--stages", "2"], isInCrowd: true),
        Way(2, ["--stages", "1", "--placement", "vfold"]),
        Way(4, ["--stages", "4", "--processes"]),
        Way(4, ["--stages", "2", "--placement", "vfold"]),
        Way(4, ["--stages", "2", "--placement", "vfold", "--processes", "--chunk", "7"]),
    ]

    private static func plainest(_ stageCount: Int) -> Task<[UInt8], any Error> {
        Task {
            try await SamenessTests.logits(
                Way(
                    stageCount,
                    ["--stages", "\(stageCount)", "--threads", "1", "--chunk", "4096"]
                ).way)
        }
    }

    private static let two = plainest(2)
    private static let four = plainest(4)

    @Test(arguments: ways)
    func oneCutOfTheLayersGivesTheSameBytes(way: Way) async throws {
        let plain = try await (way.stageCount == 2 ? Self.two : Self.four).value
        let bytes = try await SamenessTests.logits(way.way)
        #expect(bytes.count == 300 * 4_096 * 4)
        #expect(bytes == plain)
    }

    @Test func anotherCutAndBF16GiveOtherBytes() async throws {
        let exact = try await SamenessTests.logits(SamenessTests.Way())
        let (two, four) = (try await Self.two.value, try await Self.four.value)
        #expect(two != exact && four != exact && two != four)
    }

    @Test func whereNothingTravelsNothingIsReduced() async throws {
        let exact = try await SamenessTests.logits(SamenessTests.Way())
        #expect(try await SamenessTests.logits(Way(1, ["--stages", "1"]).way) == exact)
    }

    @Test func anUnknownFormIsRefused() async throws {
        let run = try await SkeinProgram.run([
            "score", "--model", SkeinProgram.gosling, "--tokens-json", "/dev/null", "--hop", "fp4",
        ])
        #expect(run.status == 2)
        #expect(run.errors.contains("--hop"), "\(run.errors)")
    }
}
