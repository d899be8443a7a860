import ArgumentParser
import Foundation
import Logging
import SkeinCluster
import SkeinCore

/// Runs one node of a cluster file.
struct RunNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Runs one node of a cluster file, in the foreground.")

    @Option(help: "The cluster file.")
    var cluster: String

    @Option(help: "The node's name in it.")
    var name: String

    @OptionGroup var log: LogOption

    @Flag(
        name: .customLong("exit-with-input"),
        help: ArgumentHelp("Leave when standard input closes.", visibility: .hidden))
    var exitsWithInput = false

    func run() async throws {
        let topology = try ClusterFile.read(path: cluster)
        let logger = log.logger("skein.node")
        try await Interruptible.run(
            // A child is told to leave by its parent; the terminal's Ctrl-C is for the parent.
            ignoringInterrupts: exitsWithInput, watchingInput: exitsWithInput
        ) {
            try await NodeHost.run(
                name: name, topology: topology, softwareVersion: SoftwareVersion.text,
                logger: logger)
        }
    }
}
