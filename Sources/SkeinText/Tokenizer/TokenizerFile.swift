import SkeinCore

/// The parts of a `tokenizer.json`, each checked before it is used.
///
/// What Skein does not know is refused by name: a tokenizer that is nearly right gives a model that
/// is nearly right, which is worse than none.
struct TokenizerFile {
    let root: JSONField

    /// The vocabulary as the file spells it, and the numbers of its tokens.
    private(set) var numbers = ByteStringTable(capacity: 0)

    /// What each token number is.
    private(set) var vocabulary = Vocabulary([])

    private(set) var added: [AddedToken] = []
    private var addedNumbers = ByteStringTable(capacity: 0)

    init(parsing bytes: [UInt8], file: String) throws(Refusal) {
        root = JSONField(
            try JSONValue(parsing: bytes, subject: file, rules: .lenient), file: file)
        _ = try root.members()
        try checkModel()
        try checkDecoder()
        try readVocabulary()
    }

    // MARK: model

    private func model() throws(Refusal) -> JSONField { try root.required("model") }

    private func checkModel() throws(Refusal) {
        let model = try model()
        _ = try model.members()
        if let type = model.optional("type"), type.value.string != "BPE" {
            throw type.expected("\"BPE\", the only model Skein runs")
        }
        if let dropout = model.optional("dropout"), dropout.value.double != 0 {
            throw dropout.expected("null: tokens must not depend on chance")
        }
        for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let field = model.optional(name), field.value.string != "" {
                throw field.expected("null: byte-level tokens carry no affix")
            }
        }
        if try model.flag("byte_fallback", otherwise: false) {
            throw Refusal(
                "\(root.file): model.byte_fallback", "found true, expected false: byte-level BPE")
        }
    }

    /// Whether a piece that is a token as it stands stays whole.
    func keepsWholeTokens() throws(Refusal) -> Bool {
        try model().flag("ignore_merges", otherwise: false)
    }

    private func checkDecoder() throws(Refusal) {
        let decoder = try root.required("decoder")
        var type = try decoder.required("type")
        if type.value.string == "Sequence" {
            let inner = try decoder.required("decoders").elements()
            guard inner.count == 1 else { throw decoder.expected("a single ByteLevel") }
            type = try inner[0].required("type")
        }
        guard type.value.string == "ByteLevel" else { throw type.expected("\"ByteLevel\"") }
        guard let processor = root.optional("post_processor") else { return }
        // Post-processors only add tokens around a text, which Skein's callers do themselves.
        let known = ["ByteLevel", "TemplateProcessing", "Sequence"]
        let kind = try processor.required("type")
        guard let name = kind.value.string, known.contains(name) else {
            throw kind.expected(known.joined(separator: ", "))
        }
    }

    // MARK: vocabulary

    private mutating func readVocabulary() throws(Refusal) {
        let field = try model().required("vocab")
        let members = try field.members()
        guard members.count <= Limits.vocabularyMax else {
            throw Refusal(
                field.subject,
                "has \(members.count) tokens, more than Skein's \(Limits.vocabularyMax)")
        }
        let addedFields = try root.optional("added_tokens")?.elements() ?? []
        guard addedFields.count <= Limits.vocabularyMax else {
            throw Refusal(
                "\(root.file): added_tokens",
                "has \(addedFields.count) entries, more than Skein's \(Limits.vocabularyMax)")
        }
        numbers = ByteStringTable(capacity: members.count)
        addedNumbers = ByteStringTable(capacity: addedFields.count)
        var tokens: [(bytes: [UInt8], mark: Vocabulary.Mark)] = []
        tokens.reserveCapacity(members.count + addedFields.count)
        for member in members {
            let place = JSONField(member.value, file: root.file, path: "model.vocab")
            guard let number = member.value.integer, (0..<Limits.vocabularyMax).contains(number)
            else {
                throw Refusal(
                    place.subject,
                    "the token \(Self.quoted(member.name)) has the number "
                        + "\(member.value.summary), expected 0 to \(Limits.vocabularyMax - 1)")
            }
            while tokens.count <= number { tokens.append(([], [])) }
            guard tokens[number].mark.isEmpty else {
                throw Refusal(place.subject, "two tokens have the number \(number)")
            }
            guard numbers.insert(member.name.utf8, Int32(number)) else {
                throw Refusal(
                    place.subject, "the token \(Self.quoted(member.name)) is given twice")
            }
            let bytes = ByteAlphabet.decode(member.name) ?? Array(member.name.utf8)
            tokens[number] = (bytes, .exists)
        }
        for field in addedFields { try readAdded(field, into: &tokens) }
        vocabulary = Vocabulary(tokens)
    }

    private mutating func readAdded(
        _ field: JSONField, into tokens: inout [(bytes: [UInt8], mark: Vocabulary.Mark)]
    ) throws(Refusal) {
        let contentField = try field.required("content")
        let content = try contentField.string()
        guard !content.isEmpty else { throw contentField.expected("a text that is not empty") }
        let number = try field.required("id").integer(in: 0...(Limits.vocabularyMax - 1))
        var token = AddedToken(token: TokenID(number), content: Array(content.utf8))
        token.isSpecial = try field.flag("special", otherwise: false)
        token.takesSpaceBefore = try field.flag("lstrip", otherwise: false)
        token.takesSpaceAfter = try field.flag("rstrip", otherwise: false)
        token.isSingleWord = try field.flag("single_word", otherwise: false)
        token.isNormalized = try field.flag("normalized", otherwise: !token.isSpecial)
        let usual = numbers.number(of: content.utf8)
        guard usual == nil || usual == Int32(number) else {
            throw Refusal(
                "\(field.subject).id",
                "found \(number), but model.vocab gives \(Self.quoted(content)) "
                    + "the number \(usual ?? -1)")
        }
        while tokens.count <= number { tokens.append(([], [])) }
        guard usual != nil || tokens[number].mark.isEmpty else {
            throw Refusal("\(field.subject).id", "the number \(number) belongs to another token")
        }
        let isNew = addedNumbers.insert(token.content, Int32(number))
        guard isNew, !tokens[number].mark.contains(.added) else {
            throw Refusal(field.subject, "the token \(Self.quoted(content)) is given twice")
        }
        let mark: Vocabulary.Mark =
            token.isSpecial ? [.exists, .added, .special] : [.exists, .added]
        tokens[number] = (token.content, mark)
        added.append(token)
    }

    static func quoted(_ text: String) -> String { JSONValue.string(text).pythonText }
}
