import ArgumentParser

/// Measures, each in a command of its own.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures: a ring under decode.", subcommands: [BenchPipeline.self])
}
