import ArgumentParser

/// Serves a model from this machine over HTTP.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves a model from this machine over HTTP.")

    func run() async throws {}
}
