import Foundation
import SkeinCore
import Testing

@testable import SkeinText

/// Tokenizers whose vocabulary is a list of ranks, against the package tiktoken.
@Suite struct RankedTokensTests {
    private struct Vectors {
        let pattern: String
        let specialCount: Int
        let tokens: [String]
        let lines: [(text: String, ids: [TokenID])]

        init(_ name: String) throws {
            let root = try #require(try Golden.json("Tests/Golden/text/ranked.json")[name])
            pattern = try #require(root["pattern"]?.string)
            specialCount = try #require(root["special_count"]?.integer)
            tokens = try #require(root["tokens"]?.array).compactMap(\.string)
            lines = try #require(root["lines"]?.array).map { line in
                let ids = try #require(line["ids"]?.array).compactMap(\.integer)
                return (try #require(line["text"]?.string), ids.map { TokenID($0) })
            }
        }
    }

    private static let marks = [
        "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
        "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
        "[ARGS]",
    ]

    /// A `tekken.json`, with more ranks than there is room for.
    private static func tekken(_ vectors: Vectors, sizeBeyond more: Int = 0) -> JSONValue {
        let names = marks.enumerated().map { number, text in
            JSONValue.object([
                .init("rank", .number("\(number)")), .init("token_str", .string(text)),
                .init("is_control", .bool(true)),
            ])
        }
        let tokens = (vectors.tokens + ["AAEC"]).enumerated().map { rank, bytes in
            JSONValue.object([
                .init("rank", .number("\(rank)")), .init("token_bytes", .string(bytes)),
                .init("token_str", .null),
            ])
        }
        let size = vectors.specialCount + vectors.tokens.count + more
        return .object([
            .init(
                "config",
                .object([
                    .init("pattern", .string(vectors.pattern)),
                    .init("default_vocab_size", .number("\(size)")),
                    .init("default_num_special_tokens", .number("\(vectors.specialCount)")),
                    .init("version", .string("v13")),
                ])),
            .init("vocab", .array(tokens)), .init("special_tokens", .array(names)),
        ])
    }

    private static func expect(_ tokenizer: Tokenizer, gives vectors: Vectors) {
        #expect(vectors.lines.count > 100)
        for (text, ids) in vectors.lines {
            let tokens = tokenizer.encode(text, matchingAddedTokens: false)
            #expect(tokens == ids, "\(text)")
            #expect(tokenizer.decode(tokens, skippingSpecialTokens: false).exact == text.exact)
        }
    }

    @Test func aTekkenFileGivesTheTokensOfTiktoken() throws {
        let vectors = try Vectors("tekken")
        let folder = try TemporaryFolder()
        try folder.write("tekken.json", Self.tekken(vectors).line)
        let setup = try #require(try TextSetup.inFolder(folder.path))
        Self.expect(setup.tokenizer, gives: vectors)
        #expect(setup.tokenizer.vocabularyCount == vectors.specialCount + vectors.tokens.count)
        #expect(setup.beginToken == 1 && setup.endTokens == [2])
        #expect(setup.chatFormat?.format == .mistralLarge3)
        #expect(setup.chatFormat?.source == "control marks of tekken.json")
        let marks = setup.tokenizer.encode("[INST]a[/INST]<SPECIAL_19>", matchingAddedTokens: true)
        #expect(marks.first == 3 && marks.suffix(2) == [4, 19])
        #expect(setup.isControl(3) && setup.tokenizer.bytes(of: 9) == "[TOOL_CALLS]".exact)
        #expect(!setup.tokenizer.encode("[INST]", matchingAddedTokens: false).contains(3))
    }

    @Test func aTiktokenFileHasItsSpecialTokensInTheConfiguration() throws {
        let vectors = try Vectors("tiktoken")
        #expect(vectors.pattern == TiktokenFile.kimiPattern)
        let first = vectors.tokens.count
        let folder = try TemporaryFolder()
        let lines = vectors.tokens.enumerated().map { "\($1) \($0)\n" }
        try folder.write("tiktoken.model", lines.joined())
        let marks = ["<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_end|>", "<think>"]
        let entries = marks.enumerated().map { number, mark in
            "\"\(first + number)\": {\"content\": \"\(mark)\", \"special\": \(number < 4)}"
        }
        try folder.write(
            "tokenizer_config.json",
            "{\"added_tokens_decoder\": {\(entries.joined(separator: ", "))}, "
                + "\"eos_token\": \"<|im_end|>\", \"chat_template\": \"<|im_middle|><think>\"}")
        let setup = try #require(try TextSetup.inFolder(folder.path))
        Self.expect(setup.tokenizer, gives: vectors)
        #expect(setup.chatFormat?.format == .kimiK2Thinking)
        #expect(setup.endTokens == [TokenID(first + 3)])
        let think = try #require(setup.tokenizer.addedToken("<think>"))
        #expect(Int(think.rawValue) == first + 4 && !setup.tokenizer.isSpecial(think))
        let reserved = "<|reserved_token_\(first + 255)|>"
        #expect(setup.tokenizer.addedToken(reserved) == TokenID(first + 255))
        #expect(setup.tokenizer.vocabularyCount == first + 256)
    }

    @Test(arguments: [
        ("", "has no token for the byte 0"), ("YQ== 1\n", "found the rank 1, expected 0"),
        ("YQ== 0\nYQ== 1\n", "is given twice"), ("*** 0\n", "is not 1 to 1024 bytes in base64"),
        ("YQ==\n", "line 1: expected bytes in base64 and a rank"),
        ("YQ== 99999999999999999999\n", "line 1: expected bytes in base64 and a rank"),
    ])
    func aBrokenTiktokenFileIsRefusedInOneLine(content: String, words: String) throws {
        #expect {
            try TiktokenFile(parsing: Array(content.utf8), configuration: nil, file: "t.model")
        } throws: { "\($0)".hasPrefix("t.model") && "\($0)".contains(words) }
    }

    @Test func aBrokenTekkenFileIsRefusedInOneLine() throws {
        let vectors = try Vectors("tekken")
        let short = Self.tekken(vectors, sizeBeyond: 2).line
        let whole = Self.tekken(vectors).line
        let cases = [
            ("[]", "expected an object"), ("{}", "config: is missing"), ("{", "is not valid JSON"),
            (whole.replacing("\"<s>\"", with: "\"<SPECIAL_19>\""), "two special tokens are"),
            (short, "vocab: has \(vectors.tokens.count + 1) tokens, expected"),
            (whole.replacing("\"rank\":5,\"token_str\"", with: "\"rank\":4,\"token_str\""), "rank"),
            (
                whole.replacing("\"rank\":7,\"token_bytes\"", with: "\"rank\":9,\"token_bytes\""),
                "9"
            ),
            (
                whole.replacing("\"default_num_special_tokens\":20", with: "\"x\":1"),
                "default_num_special_tokens: is missing"
            ),
        ]
        for (text, words) in cases {
            #expect {
                try TekkenFile(parsing: Array(text.utf8), file: "tekken.json")
            } throws: { "\($0)".hasPrefix("tekken.json") && "\($0)".contains(words) }
        }
    }
}
