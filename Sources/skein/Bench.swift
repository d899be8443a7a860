import ArgumentParser

/// Measures: a server under load, a model, a ring under decode, and two reports against each other.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures a server under load, a model, and a ring under decode.",
        subcommands: [
            BenchServe.self, BenchModel.self, BenchKernels.self, BenchPipeline.self,
            BenchCompare.self,
        ])
}
