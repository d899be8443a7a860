import ArgumentParser

/// Measures: a server under load, a model, a ring under decode, this machine for a plan, and two
/// reports against each other.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures a server under load, a model, a ring under decode, and this machine.",
        subcommands: [
            BenchServe.self, BenchModel.self, BenchKernels.self, BenchPipeline.self,
            BenchHost.self, BenchCompare.self,
        ])
}
