public import SkeinCore

/// Everything about text that a model's folder says.
public struct TextSetup: Sendable {
    /// Text to tokens and back.
    public let tokenizer: Tokenizer

    /// How conversations are written; `nil` if the folder does not tell.
    public let chatFormat: ChatFormat.Finding?

    /// One line about a chat template in the folder that is of no known format; `nil` where there
    /// is nothing to say.
    public let chatRemark: String?

    /// The token every text begins with, if there is one.
    public let beginToken: TokenID?

    /// The tokens that end an answer.
    public let endTokens: Set<TokenID>

    /// How the model's makers advise to draw tokens.
    public let generationDefaults: GenerationDefaults

    /// The marks between turns in the chat format.
    let turnTokens: Set<TokenID>

    /// Whether a token is control and no part of an answer: the tokenizer calls it special, or the
    /// chat format puts it between turns.
    public func isControl(_ token: TokenID) -> Bool {
        tokenizer.isSpecial(token) || turnTokens.contains(token)
    }

    /// Reads what a model's folder says about text; `nil` where it has no tokenizer, and the model
    /// takes and gives token ids only.
    public static func inFolder(_ path: String) throws(Refusal) -> TextSetup? {
        guard TokenizerSource.inFolder(path) != nil else { return nil }
        return try Tokenizer.fromFolder(path)
    }

    /// The begin token and then a plain text, for a model that goes on writing it.
    ///
    /// Control marks in the text stay text.
    public func completionPrompt(_ text: String) -> [TokenID] {
        (beginToken.map { [$0] } ?? []) + tokenizer.encode(text, matchingAddedTokens: false)
    }
}

/// The advice of `generation_config.json`.
public struct GenerationDefaults: Equatable, Sendable {
    /// Whether tokens are drawn by chance; `nil` if not said.
    public var drawsTokens: Bool?

    /// The temperature, if said.
    public var temperature: Float?

    /// The share of probability kept, if said.
    public var topP: Float?

    /// How many tokens are kept, if said; 0 keeps all.
    public var topK: Int?

    /// No advice.
    public init() {}

    /// Parameters that follow the advice: greedy unless it says that tokens are drawn.
    public var samplingParameters: SamplingParameters {
        var parameters = SamplingParameters()
        guard drawsTokens == true else { return parameters }
        parameters.temperature = temperature ?? 1
        parameters.topP = topP ?? 1
        parameters.topK = topK ?? 0
        return parameters
    }

    init(_ root: JSONField) throws(Refusal) {
        if let field = root.optional("do_sample") {
            drawsTokens = try root.flag("do_sample", otherwise: field.value.bool ?? false)
        }
        if let field = root.optional("temperature") {
            temperature = Float(try field.double(in: 0...100))
        }
        if let field = root.optional("top_p") { topP = Float(try field.double(in: 0...1)) }
        if let field = root.optional("top_k") {
            topK = try field.integer(in: 0...Limits.vocabularyMax)
        }
        if topP == 0 { throw Refusal("\(root.file): top_p", "found 0, expected more than 0") }
    }
}

extension Tokenizer {
    /// Reads what a model's folder says about text.
    ///
    /// `tokenizer.json`, or else `tekken.json` or `tiktoken.model`, must be there;
    /// `tokenizer_config.json`, `generation_config.json`, `chat_template.jinja` and `config.json`
    /// are read if they are.
    public static func fromFolder(_ path: String) throws(Refusal) -> TextSetup {
        guard let source = TokenizerSource.inFolder(path) else {
            throw Refusal(
                path + "/tokenizer.json",
                "there is no such file; without it this model takes and gives token ids only")
        }
        let folder = try TextFolder(path)
        let tokenizer = try source.tokenizer(inFolder: path, configuration: folder.tokenizer)
        let detection = try ChatFormat.detect(
            tokenizerConfiguration: folder.tokenizer?.value, templateFile: folder.template,
            modelType: folder.model?.value["model_type"]?.string,
            file: path + "/tokenizer_config.json")
        var finding = detection.finding
        if let found = finding {
            let missing = found.format.traits.neededMarks.filter { tokenizer.addedToken($0) == nil }
            if let mark = missing.first {
                guard !found.isNamed else {
                    throw Refusal(
                        "\(path)/\(source.rawValue): \(source.tokensField)",
                        "has no \(mark), which the chat format \(found.format.rawValue) "
                            + "(\(found.source)) needs")
                }
                finding = nil
            }
        }
        finding = finding ?? ChatFormat.detect(marksOf: tokenizer, file: source.rawValue)
        let named = try folder.beginToken(tokenizer)
        return TextSetup(
            tokenizer: tokenizer, chatFormat: finding,
            chatRemark: detection.remark,
            beginToken: named ?? source.beginMark.flatMap { tokenizer.addedToken($0) },
            endTokens: try folder.endTokens(tokenizer, format: finding?.format),
            generationDefaults: try folder.generation.map(GenerationDefaults.init) ?? .init(),
            turnTokens: Set(
                (finding?.format.traits.turnMarks ?? []).compactMap { tokenizer.addedToken($0) }))
    }
}

/// The files that may hold a tokenizer, in the order in which they are looked for.
private enum TokenizerSource: String, CaseIterable {
    case tokenizer = "tokenizer.json"
    case tekken = "tekken.json"
    case tiktoken = "tiktoken.model"

    static func inFolder(_ path: String) -> TokenizerSource? {
        allCases.first { SmallFile.exists("\(path)/\($0.rawValue)") }
    }

    func tokenizer(
        inFolder path: String, configuration: JSONField?
    ) throws(Refusal) -> Tokenizer {
        let file = "\(path)/\(rawValue)"
        let bytes = try SmallFile.read(file, bytesMax: Limits.tokenizerFileBytesMax)
        return switch self {
        case .tokenizer: try Tokenizer(parsing: bytes, file: file)
        case .tekken: Tokenizer(try TekkenFile(parsing: bytes, file: file).parts)
        case .tiktoken:
            Tokenizer(
                try TiktokenFile(parsing: bytes, configuration: configuration, file: file).parts)
        }
    }

    /// The token that begins a text where no other file names one.
    var beginMark: String? { self == .tekken ? TekkenFile.begin : nil }

    /// Where the file lists control marks.
    var tokensField: String {
        switch self {
        case .tokenizer: "added_tokens"
        case .tekken: "special_tokens"
        case .tiktoken: "added_tokens_decoder of tokenizer_config.json"
        }
    }
}

/// The small files about text in a model's folder.
private struct TextFolder {
    var tokenizer: JSONField?
    var generation: JSONField?
    var model: JSONField?
    var template: String?

    init(_ path: String) throws(Refusal) {
        tokenizer = try Self.object(path + "/tokenizer_config.json")
        generation = try Self.object(path + "/generation_config.json")
        model = try Self.object(path + "/config.json")
        let file = path + "/chat_template.jinja"
        if SmallFile.exists(file) {
            let bytes = try SmallFile.read(file, bytesMax: Limits.smallFileBytesMax)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw Refusal(file, "is not UTF-8 text")
            }
            template = text
        }
    }

    private static func object(_ path: String) throws(Refusal) -> JSONField? {
        guard SmallFile.exists(path) else { return nil }
        let bytes = try SmallFile.read(path, bytesMax: Limits.smallFileBytesMax)
        let field = JSONField(
            try JSONValue(parsing: bytes, subject: path, rules: .lenient), file: path)
        _ = try field.members()
        return field
    }

    /// The begin token: by number, or by the text that `tokenizer_config.json` gives.
    func beginToken(_ tokenizer: Tokenizer) throws(Refusal) -> TokenID? {
        for root in [generation, model] {
            guard let field = root?.optional("bos_token_id") else { continue }
            return TokenID(try field.integer(in: 0...(Limits.vocabularyMax - 1)))
        }
        return try named("bos_token", by: tokenizer)
    }

    /// Every token that any of the files, or the chat format, takes for the end.
    func endTokens(
        _ tokenizer: Tokenizer, format: ChatFormat?
    ) throws(Refusal) -> Set<TokenID> {
        var tokens: Set<TokenID> = []
        for root in [generation, model] {
            guard let field = root?.optional("eos_token_id") else { continue }
            let numbers = field.value.array == nil ? [field] : try field.elements()
            for number in numbers {
                tokens.insert(TokenID(try number.integer(in: 0...(Limits.vocabularyMax - 1))))
            }
        }
        if let token = try named("eos_token", by: tokenizer) { tokens.insert(token) }
        for mark in format?.traits.endMarks ?? [] {
            if let token = tokenizer.addedToken(mark) { tokens.insert(token) }
        }
        return tokens
    }

    /// A token that `tokenizer_config.json` names, as a text or as `{"content": …}`.
    private func named(_ name: String, by tokenizer: Tokenizer) throws(Refusal) -> TokenID? {
        guard let field = self.tokenizer?.optional(name) else { return nil }
        let content = field.value.members == nil ? field : try field.required("content")
        guard let token = tokenizer.addedToken(try content.string()) else {
            throw content.expected("one of the added_tokens of tokenizer.json")
        }
        return token
    }
}
