import ArgumentParser

/// Measures: a server under load, and two reports against each other.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures how a server bears a load.",
        subcommands: [BenchServe.self, BenchCompare.self])
}
