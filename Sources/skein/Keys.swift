import ArgumentParser
import Logging
import SkeinCluster
import SkeinCore
import SkeinTransport

/// Makes and shows the CURVE keys by which nodes know each other.
struct Keys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Makes and shows the keys by which nodes know each other.",
        subcommands: [New.self, Show.self, Init.self])

    /// What `--json` prints.
    struct Answer: Encodable {
        let file: String?
        let publicKey: String
        /// Told only where it was not written to a file.
        let secretKey: String?
    }

    /// Makes a key pair: the secret goes to a file, the public key to standard output.
    struct New: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key pair; the secret goes to a new file only you can read.")

        @Option(help: "The new secret file, by custom keys/NAME.secret beside the cluster file.")
        var out: String?

        @Flag(help: "Print one JSON object.")
        var json = false

        func run() async throws {
            let keys = CurveKeyPair()
            if let out { try keys.writeSecret(to: out) }
            try Keys.show(
                Answer(
                    file: out, publicKey: keys.publicKey,
                    secretKey: out == nil ? keys.secretKey : nil),
                asJSON: json)
        }
    }

    /// Shows the public key that belongs to a secret file.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows the public key that belongs to a secret file.")

        @Argument(help: "The secret file.")
        var file: String

        @Flag(help: "Print one JSON object.")
        var json = false

        func run() async throws {
            let keys = try CurveKeyPair(readingSecretFrom: file)
            try Keys.show(
                Answer(file: file, publicKey: keys.publicKey, secretKey: nil), asJSON: json)
        }
    }

    /// Makes the keys of a whole cluster.
    struct Init: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes the keys of a cluster and names the public ones in its file.",
            discussion: """
                Secrets go to FOLDER/HOST/NAME.secret, a folder for each host, which is what that \
                host must be given. Keys that are there are kept, so a second run changes nothing.
                """)

        @Argument(help: "The cluster file.")
        var clusterFile: String

        @Option(help: "The folder of the secrets (default: keys beside the cluster file).")
        var out: String?

        @Flag(help: "Make new pairs in place of those that are there.")
        var force = false

        @Flag(help: "Print one JSON object.")
        var json = false

        /// What `--json` prints; secrets are never in it.
        struct Answer: Encodable {
            struct Pair: Encodable {
                let name: String
                let host: String
                let file: String
                let publicKey: String
                let isNew: Bool
            }

            let clusterFile: String
            let folder: String
            let pairs: [Pair]
            let changes: [String]
            let warnings: [String]
        }

        func run() async throws {
            try Console.checkWritable(clusterFile)
            let issue = KeyIssue(clusterFile: clusterFile, folder: out, replacesPairs: force)
            let outcome = try issue.run()
            if let text = outcome.clusterText { try Console.write(text, to: clusterFile) }
            for warning in outcome.warnings { Console.say("warning: \(warning)", level: .warning) }
            if json {
                return try Console.json(
                    Answer(
                        clusterFile: clusterFile, folder: issue.folder,
                        pairs: outcome.pairs.map {
                            .init(
                                name: $0.name, host: $0.host, file: $0.file,
                                publicKey: $0.publicKey, isNew: $0.isNew)
                        }, changes: outcome.changes, warnings: outcome.warnings))
            }
            let lines =
                outcome.pairs.map { "\($0.isNew ? "new " : "kept") \($0.name): \($0.file)" }
                + outcome.changes.map { "wrote \(clusterFile): \($0)" }
            let end = outcome.changes.isEmpty ? ["unchanged \(clusterFile)"] : []
            try Console.standardOutput((lines + end).joined(separator: "\n") + "\n")
        }
    }

    private static func show(_ answer: Answer, asJSON: Bool) throws {
        if asJSON { return try Console.json(answer) }
        try Console.standardOutput("public_key: \"\(answer.publicKey)\"\n")
        if let secret = answer.secretKey {
            try Console.standardOutput("secret_key: \"\(secret)\"\n")
        }
    }
}
