internal import Foundation
public import SkeinCoordinator
public import SkeinCore
public import SkeinText

/// What a front serves: a model's text and the coordinator that runs its tokens.
public struct ModelService: Sendable {
    /// The name that answers carry.
    public let modelName: String

    /// The names by which clients may ask for the model; the first is `modelName`.
    public let modelNames: [String]

    /// When the service was made, in seconds of Unix time.
    let created = Int(Date().timeIntervalSince1970)

    /// Takes requests.
    public let coordinator: Coordinator

    /// Text to tokens and back; `nil` where the model has no tokenizer.
    public let text: TextSetup?

    /// Rows of the embedding.
    public let vocabularySize: Int

    /// Tokens that end an answer.
    public let endTokens: Set<TokenID>

    /// Positions that one sequence may have.
    public let positionCountMax: Int

    /// Holds answers to a form, where the model has a tokenizer.
    let constraints: ConstraintCache?

    /// Joins a model's text and its coordinator.
    ///
    /// - Parameter aliases: further names by which clients may ask for the model.
    public init(
        modelName: String, aliases: [String] = [], coordinator: Coordinator, text: TextSetup?,
        configuration: ModelConfiguration, positionCountMax: Int
    ) {
        self.modelName = modelName
        modelNames = [modelName] + aliases.filter { $0 != modelName }
        self.coordinator = coordinator
        self.text = text
        vocabularySize = configuration.vocabularySize
        endTokens = text?.endTokens ?? Set(configuration.endTokens)
        self.positionCountMax = positionCountMax
        constraints = text.map { [vocabularySize, endTokens] in
            ConstraintCache(
                $0.tokenizer, vocabularySize: vocabularySize, endTokens: endTokens)
        }
    }

    /// The names for an error line.
    var namesText: String { modelNames.map { "'\($0)'" }.joined(separator: " or ") }

    /// The tokenizer, or the error for a request that needs one.
    func setup(for param: String) throws(APIError) -> TextSetup {
        guard let text else {
            throw .invalid(
                param, "\(param): this model has no tokenizer; it takes and gives token ids only")
        }
        return text
    }

    /// How conversations are written, or the error for a request that is one.
    func chatFormat() throws(APIError) -> (setup: TextSetup, format: ChatFormat) {
        let setup = try setup(for: "messages")
        guard let format = setup.chatFormat?.format else {
            throw .invalid(
                "messages",
                "messages: this model does not tell its chat format; use /v1/completions")
        }
        return (setup, format)
    }

    /// A token as text of its own; broken characters become U+FFFD.
    func text(of token: TokenID) -> String {
        String(decoding: bytes(of: token), as: UTF8.self)
    }

    /// A token's bytes.
    func bytes(of token: TokenID) -> [UInt8] { text?.tokenizer.bytes(of: token) ?? [] }
}
