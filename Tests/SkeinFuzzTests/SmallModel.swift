import SkeinCore

@testable import SkeinText

/// A vocabulary of every byte, a few words, and every mark of the chat formats.
enum SmallModel {
    /// The token that ends an answer.
    static let end = tokenizer.addedToken("<｜end▁of▁sentence｜>") ?? TokenID(0)

    /// Its tokenizer.
    static let tokenizer: Tokenizer = {
        do {
            return try Tokenizer(parsing: Array(file.text.utf8), file: "small")
        } catch {
            fatalError("the small tokenizer is refused: \(error)")
        }
    }()

    /// Constraints over its vocabulary.
    static let constraints = ConstraintCache(
        tokenizer, vocabularySize: tokenizer.vocabularyCount, endTokens: [end])

    /// Its `tokenizer.json`.
    static let file: JSONValue = {
        let letters = ByteAlphabet.scalars.map { String(Character($0)) }
        let merges = [("a", "b"), ("{", "\""), ("\"", ":"), ("\"", "}"), ("Ġ", "t"), ("Ġt", "h")]
        let words = letters + merges.map { $0.0 + $0.1 }
        let marks = Set(ChatFormat.allCases.flatMap { Self.marks(of: $0) }).sorted()
        return .object([
            "added_tokens": .array(
                marks.enumerated().map { index, mark in
                    .object([
                        "id": .integer(words.count + index), "content": .string(mark),
                        "special": .bool(true),
                    ])
                }),
            "decoder": .object(["type": .string("ByteLevel")]),
            "model": .object([
                "type": .string("BPE"),
                "vocab": .object(
                    words.enumerated().map { .init($0.element, .integer($0.offset)) }),
                "merges": .array(merges.map { .array([.string($0.0), .string($0.1)]) }),
            ]),
            "pre_tokenizer": .object([
                "type": .string("ByteLevel"), "add_prefix_space": .bool(false),
                "use_regex": .bool(true),
            ]),
        ])
    }()

    private static func marks(of format: ChatFormat) -> [String] {
        format.traits.neededMarks + format.traits.endMarks
            + Array(format.traits.callForm?.markTexts ?? [])
    }
}
