import Foundation
import SkeinTensor
import Testing

/// `SKEIN_ISA` and `--packed-cache`, as those who script against the program use them.
@Suite struct InstructionSetTests {
    private static func generate(
        _ arguments: [String] = [], isa: String? = nil
    ) async throws -> SkeinProgram.Outcome {
        try await SkeinProgram.run(
            [
                "generate", "--model", SkeinProgram.gosling, "--json", "--prompt", "The goose",
                "--temperature", "0", "--max-tokens", "8",
            ] + arguments, environment: isa.map { ["SKEIN_ISA=\($0)"] } ?? [])
    }

    @Test(arguments: Kernels.supported)
    func theAnswerNamesTheInstructionsThatWereAskedFor(set: InstructionSet) async throws {
        let run = try await Self.generate(isa: "\(set)")
        try #require(run.status == 0, "\(run.errors)")
        #expect(try run.json()["isa"] as? String == "\(set)")
    }

    @Test func anUnknownInstructionSetIsRefused() async throws {
        let run = try await Self.generate(isa: "neon")
        #expect(run.status == 1)
        #expect(run.errors.contains("SKEIN_ISA") && run.errors.contains("scalar, avx2"))
        #expect(run.errors.split(separator: "\n").count == 1)
    }

    @Test func instructionsThatTheMachineLacksAreRefused() async throws {
        for set in InstructionSet.allCases where !Kernels.supported.contains(set) {
            let run = try await Self.generate(isa: "\(set)")
            #expect(run.status == 1 && run.errors.contains("this machine can run only"))
        }
    }

    @Test func aPackedCacheChangesNoTokenAndIsUsedByProcesses() async throws {
        let scratch = try ScratchFolder()
        let options = ["--packed-cache", scratch.path + "/packed"]
        let plain = try await Self.generate()
        let tokens = try #require(try plain.json()["tokens"] as? [Int])
        for arguments in [options, options, options + ["--stages", "2", "--processes"]] {
            let run = try await Self.generate(arguments)
            try #require(run.status == 0, "\(run.errors)")
            #expect(try run.json()["tokens"] as? [Int] == tokens)
        }
        // One file for the whole model, and one for each of two slices.
        let files = try FileManager.default.contentsOfDirectory(atPath: scratch.path + "/packed")
        #expect(files.count == 3)
    }
}
