public import ArgumentParser
import SkeinCluster
import SkeinCore
public import SkeinWeights

/// Writes a checkpoint of random weights in published form.
struct Synth: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a checkpoint of random weights in published form.")

    @Option(help: "The config.json to follow.")
    var config: String

    @Option(help: "Main layers, instead of the file's.")
    var layers: Int?

    @Option(help: "How large matrices are stored: fp8, bf16 or int4 (default: as the file says).")
    var format: SyntheticCheckpoint.Format?

    @Option(help: "Decides every number.")
    var seed: UInt64 = 0

    @Option(help: "The folder to make; it must not exist or be empty.")
    var out: String

    @Flag(help: "Print one JSON object.")
    var json = false

    /// What `--json` prints.
    struct Answer: Encodable {
        let folder: String
        let tensorBytes: Int
    }

    func run() async throws {
        let checkpoint = try SyntheticCheckpoint(
            configurationPath: config, layerCount: layers, format: format, seed: seed)
        let bar = ProgressBar(title: "writing \(out)")
        try await checkpoint.write(to: out) { done, total in
            bar.show(doneBytes: done, totalBytes: total)
        }
        bar.finish()
        let answer = Answer(folder: out, tensorBytes: checkpoint.tensorBytes)
        if json { return try Console.json(answer) }
        try Console.standardOutput("wrote \(ByteText(answer.tensorBytes)) of tensors to \(out)\n")
    }
}

extension SyntheticCheckpoint.Format: ExpressibleByArgument {}
