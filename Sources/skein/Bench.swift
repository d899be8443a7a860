import ArgumentParser

/// Measures: a server under load, a ring under decode, and two reports against each other.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures a server under load and a ring under decode.",
        subcommands: [BenchServe.self, BenchPipeline.self, BenchCompare.self])
}
