import Foundation
import Testing

/// Something broken that the world may hand to the program, and what its one line must name.
struct BadInput: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let names: [String]
    let command: @Sendable (ScratchFolder) async throws -> [String]

    init(
        _ title: String, naming names: String...,
        command: @escaping @Sendable (ScratchFolder) async throws -> [String]
    ) {
        testDescription = title
        self.names = names
        self.command = command
    }

    /// The same input with other words that its line must hold.
    init(_ other: BadInput, naming names: [String]) {
        self.init(other.testDescription, names: names, command: other.command)
    }

    /// A checkpoint that `generate` is asked to open.
    private init(
        _ title: String, names: [String],
        model: @escaping @Sendable (ScratchFolder) throws -> String
    ) {
        self.init(
            title, names: names,
            command: { folder in
                [
                    "generate", "--model", try model(folder), "--tokens", "0,1,2", "--max-tokens",
                    "1",
                    "--temperature", "0", "--json",
                ]
            })
    }

    private init(
        _ title: String, names: [String],
        command: @escaping @Sendable (ScratchFolder) async throws -> [String]
    ) {
        testDescription = title
        self.names = names
        self.command = command
    }

    /// The bundled model with a broken configuration.
    static func configuration(
        _ title: String, naming names: String...,
        change: @escaping @Sendable (inout [String: Any]) -> Void
    ) -> BadInput {
        BadInput(title, names: ["config.json"] + names, model: { try Bent.gosling(in: $0, change) })
    }

    /// The bundled model with another file in one place, or none.
    static func file(
        _ title: String, _ file: String, naming names: String..., bytes: Data?
    ) -> BadInput {
        BadInput(
            title, names: names,
            model: { folder in
                let model = try Bent.gosling(in: folder)
                if file.hasSuffix("index.json") {
                    try Bent.replace("model.safetensors", of: model, with: nil)
                }
                try Bent.replace(file, of: model, with: bytes)
                return model
            })
    }

    /// The bundled model with a weights file of this header.
    static func header(_ title: String, naming names: String..., text: String) -> BadInput {
        BadInput(
            title, names: ["model.safetensors"] + names,
            model: { folder in
                let model = try Bent.gosling(in: folder)
                let bytes = Bent.safetensors(header: text, payload: Data(count: 4))
                try Bent.replace("model.safetensors", of: model, with: bytes)
                return model
            })
    }

    /// The bundled model whose weights' header is changed in one place.
    static func weights(
        _ title: String, naming names: String..., change: @escaping @Sendable (inout String) -> Void
    ) -> BadInput {
        BadInput(
            title, names: ["model.safetensors"] + names,
            model: { folder in
                let model = try Bent.gosling(in: folder)
                let sound = try Data(contentsOf: URL(filePath: model + "/model.safetensors"))
                let length = sound.prefix(8).enumerated().reduce(0) { $0 | Int($1.1) << (8 * $1.0) }
                var header = String(decoding: sound[8..<(8 + length)], as: UTF8.self)
                change(&header)
                let bytes = Bent.safetensors(header: header, payload: sound[(8 + length)...])
                try Bent.replace("model.safetensors", of: model, with: bytes)
                return model
            })
    }

    /// A folder that is not like a model's at all.
    static func folder(
        _ title: String, naming names: String...,
        model: @escaping @Sendable (ScratchFolder) throws -> String
    ) -> BadInput {
        BadInput(title, names: names, model: model)
    }

    /// A broken prompt for the bundled model.
    static func prompt(
        _ title: String, naming names: String..., arguments: String...
    ) -> BadInput {
        BadInput(
            title, names: names,
            command: { _ in
                ["generate", "--model", SkeinProgram.gosling, "--json"] + arguments
            })
    }

    /// A broken file of prompts.
    static func promptsFile(_ title: String, naming names: String..., text: String) -> BadInput {
        BadInput(
            title, names: ["prompts.json"] + names,
            command: { folder in
                let file = try folder.write(text, to: "prompts.json")
                return ["score", "--model", SkeinProgram.gosling, "--tokens-json", file, "--json"]
            })
    }

    /// A cluster file with one thing replaced, through `up` and through `node`.
    static func cluster(
        _ title: String, naming names: String..., replacing old: String, with new: String
    ) -> [BadInput] {
        [["up"], ["node", "--name", "node0", "--cluster"]].map { words in
            BadInput(
                "\(title), through \(words[0])", names: ["cluster.yaml"] + names,
                command: { folder in
                    let file = try await ClusterDraft(
                        model: SkeinProgram.gosling, positionCount: 1_024, nodeCount: 2
                    ).write(in: folder)
                    let sound = try String(contentsOfFile: file, encoding: .utf8)
                    let broken = sound.replacing(old, with: new)
                    try #require(broken != sound, "nothing to replace")
                    return words + [try folder.write(broken, to: "cluster.yaml")]
                })
        }
    }
}
