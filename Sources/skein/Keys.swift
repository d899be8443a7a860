import ArgumentParser
import SkeinCore
import SkeinTransport

/// Makes and shows the CURVE keys by which nodes know each other.
struct Keys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Makes and shows the keys by which nodes know each other.",
        subcommands: [New.self, Show.self])

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

    private static func show(_ answer: Answer, asJSON: Bool) throws {
        if asJSON { return try Console.json(answer) }
        try Console.standardOutput("public_key: \"\(answer.publicKey)\"\n")
        if let secret = answer.secretKey {
            try Console.standardOutput("secret_key: \"\(secret)\"\n")
        }
    }
}
