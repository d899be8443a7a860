import Foundation
import SkeinCore
import Testing

@testable import SkeinText

@Suite struct TokenizerFileTests {
    /// A whole tokenizer: the 256 bytes, one merge and two added tokens.
    static func file(_ change: (inout [String: Any]) -> Void = { _ in }) throws -> [UInt8] {
        var vocabulary: [String: Any] = [:]
        for (byte, scalar) in ByteAlphabet.scalars.enumerated() {
            vocabulary[String(Character(scalar))] = byte
        }
        vocabulary["ab"] = 256
        var root: [String: Any] = [
            "model": ["type": "BPE", "vocab": vocabulary, "merges": ["a b"]] as [String: Any],
            "added_tokens": [added("<s>", 257, special: true), added("<t>", 258)],
            "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "use_regex": true]
                as [String: Any],
            "decoder": ["type": "ByteLevel"],
        ]
        change(&root)
        return [UInt8](try JSONSerialization.data(withJSONObject: root))
    }

    static func added(
        _ content: String, _ id: Int, special: Bool = false, flags: [String] = []
    ) -> [String: Any] {
        var entry: [String: Any] = ["content": content, "id": id, "special": special]
        for flag in ["lstrip", "rstrip", "single_word", "normalized"] {
            entry[flag] = flags.contains(flag)
        }
        return entry
    }

    static func tokenizer(
        _ change: (inout [String: Any]) -> Void = { _ in }
    ) throws -> Tokenizer { try Tokenizer(parsing: file(change), file: "tokenizer.json") }

    static func model(_ root: inout [String: Any], _ change: (inout [String: Any]) -> Void) {
        var model = root["model"] as? [String: Any] ?? [:]
        change(&model)
        root["model"] = model
    }

    static func vocabulary(_ root: inout [String: Any], _ change: (inout [String: Any]) -> Void) {
        model(&root) { model in
            var vocabulary = model["vocab"] as? [String: Any] ?? [:]
            change(&vocabulary)
            model["vocab"] = vocabulary
        }
    }

    struct Broken: Sendable, CustomTestStringConvertible {
        var field: String
        var change: @Sendable (inout [String: Any]) -> Void

        init(_ field: String, _ change: @escaping @Sendable (inout [String: Any]) -> Void) {
            self.field = field
            self.change = change
        }

        var testDescription: String { field }
    }

    static let broken: [Broken] = [
        Broken("model") { $0["model"] = nil }, Broken("model") { $0["model"] = [1] },
        Broken("model.type") { model(&$0) { $0["type"] = "Unigram" } },
        Broken("model.type") { model(&$0) { $0["type"] = "WordPiece" } },
        Broken("model.dropout") { model(&$0) { $0["dropout"] = 0.1 } },
        Broken("model.end_of_word_suffix") { model(&$0) { $0["end_of_word_suffix"] = "</w>" } },
        Broken("model.byte_fallback") { model(&$0) { $0["byte_fallback"] = true } },
        Broken("model.ignore_merges") { model(&$0) { $0["ignore_merges"] = "yes" } },
        Broken("model.vocab") { model(&$0) { $0["vocab"] = nil } },
        Broken("model.vocab") { model(&$0) { $0["vocab"] = ["a", "b"] } },
        Broken("model.vocab") { vocabulary(&$0) { $0["a"] = -1 } },
        Broken("model.vocab") { vocabulary(&$0) { $0["a"] = 2_000_000_000 } },
        Broken("model.vocab") { vocabulary(&$0) { $0["a"] = 0 } },
        Broken("model.vocab") { vocabulary(&$0) { $0["a"] = "1" } },
        Broken("model.vocab") { vocabulary(&$0) { $0["a"] = nil } },
        Broken("model.merges") { model(&$0) { $0["merges"] = nil } },
        Broken("model.merges[0]") { model(&$0) { $0["merges"] = ["ab"] } },
        Broken("model.merges[0]") { model(&$0) { $0["merges"] = ["a b c"] } },
        Broken("model.merges[0]") { model(&$0) { $0["merges"] = [["a", 1]] } },
        Broken("model.merges[0]") { model(&$0) { $0["merges"] = ["b a"] } },
        Broken("added_tokens") { $0["added_tokens"] = "none" },
        Broken("added_tokens[0].id") { $0["added_tokens"] = [["content": "<s>"]] },
        Broken("added_tokens[0].id") { $0["added_tokens"] = [added("<s>", 1 << 30)] },
        Broken("added_tokens[0].id") { $0["added_tokens"] = [added("<s>", 97)] },
        Broken("added_tokens[0].id") { $0["added_tokens"] = [added("ab", 300)] },
        Broken("added_tokens[0].content") { $0["added_tokens"] = [added("", 300)] },
        Broken("added_tokens[1]") { $0["added_tokens"] = [added("xx", 300), added("xx", 301)] },
        Broken("added_tokens[1].id") { $0["added_tokens"] = [added("xx", 300), added("y", 300)] },
        Broken("added_tokens[0].lstrip") {
            $0["added_tokens"] = [["content": "<s>", "id": 300, "lstrip": 1]]
        },
        Broken("normalizer.type") { $0["normalizer"] = ["type": "Lowercase"] },
        Broken("normalizer.normalizers[0].type") {
            $0["normalizer"] = ["type": "Sequence", "normalizers": [["type": "NFKC"]]]
        },
        Broken("pre_tokenizer") { $0["pre_tokenizer"] = nil },
        Broken("pre_tokenizer.type") { $0["pre_tokenizer"] = ["type": "Whitespace"] },
        Broken("pre_tokenizer.add_prefix_space") { $0["pre_tokenizer"] = ["type": "ByteLevel"] },
        Broken("pre_tokenizer") {
            $0["pre_tokenizer"] = ["type": "Sequence", "pretokenizers": [["type": "Digits"]]]
        },
        Broken("pre_tokenizer.behavior") {
            $0["pre_tokenizer"] = ["type": "Split", "behavior": "Removed"]
        },
        Broken("pre_tokenizer.pattern.Regex") {
            $0["pre_tokenizer"] = [
                "type": "Split", "behavior": "Isolated", "pattern": ["Regex": "(a+)+b"],
            ]
        },
        Broken("decoder") { $0["decoder"] = nil },
        Broken("decoder.type") { $0["decoder"] = ["type": "Metaspace"] },
        Broken("post_processor.type") { $0["post_processor"] = ["type": "BertProcessing"] },
    ]

    @Test(arguments: broken)
    func aBrokenFileIsRefusedInOneLineThatNamesTheField(broken: Broken) throws {
        let bytes = try Self.file(broken.change)
        #expect {
            try Tokenizer(parsing: bytes, file: "tokenizer.json")
        } throws: { error in
            let line = "\(error)"
            return line.hasPrefix("tokenizer.json: \(broken.field)") && !line.contains("\n")
        }
    }

    @Test func addedTokensAreMatchedByTheirFlags() throws {
        let tokenizer = try Self.tokenizer {
            $0["added_tokens"] = [
                Self.added("<s>", 257, flags: ["lstrip"]),
                Self.added("<t>", 258, flags: ["rstrip"]),
                Self.added("cat", 259, flags: ["single_word"]), Self.added("<s>>", 260),
                Self.added("a<", 261, flags: ["normalized"]),
                Self.added("a<b", 262, flags: ["normalized"]),
            ]
        }
        func encode(_ text: String) -> [TokenID] {
            tokenizer.encode(text, matchingAddedTokens: true)
        }
        #expect(encode("x \n\u{3000}<s> x") == [0x78, 257] + [0x20, 0x78].map { TokenID($0) })
        #expect(encode("x <t> \n\u{A0}x") == [0x78, 0x20, 258, 0x78].map { TokenID($0) })
        #expect(encode("cat") == [259] && encode("a cat!") == [0x61, 0x20, 259, 0x21])
        #expect(!encode("cats").contains(259) && !encode("écat").contains(259))
        #expect(encode("<s>>") == [260], "the longest wins")
        #expect(encode("a<s>") == [0x61, 257], "the others are looked for first")
        #expect(encode("a<b") == [262] && encode("a<c") == [261, 0x63])
        #expect(encode("ab") == [256])
    }

    @Test func mergesNeverMakeAnAddedToken() throws {
        let tokenizer = try Self.tokenizer { $0["added_tokens"] = [Self.added("ab", 256)] }
        #expect(tokenizer.encode("ab", matchingAddedTokens: true) == [256])
        #expect(tokenizer.encode("ab", matchingAddedTokens: false) == [0x61, 0x62])
    }

    @Test func mergesMayBePairsAndWholeTokensMayBeKept() throws {
        let tokenizer = try Self.tokenizer {
            Self.model(&$0) {
                $0["merges"] = [["a", "b"]]
                $0["ignore_merges"] = true
            }
            Self.vocabulary(&$0) {
                $0["xyz"] = 256; $0["ab"] = 257
            }
            $0["added_tokens"] = [Self.added("<s>", 258)]
        }
        #expect(tokenizer.encode("xyz", matchingAddedTokens: false) == [256])
        #expect(tokenizer.encode("xyzab", matchingAddedTokens: false) == [0x78, 0x79, 0x7A, 257])
    }

    @Test func textIsComposedWhereTheFileSaysSo() throws {
        let tokenizer = try Self.tokenizer { $0["normalizer"] = ["type": "NFC"] }
        let tokens = tokenizer.encode("e\u{301}", matchingAddedTokens: false)
        #expect(tokenizer.decode(tokens, skippingSpecialTokens: false).exact == "é".exact)
    }

    @Test func aLiteralSplitIsTakenLiterally() throws {
        let tokenizer = try Self.tokenizer {
            $0["pre_tokenizer"] = [
                "type": "Sequence",
                "pretokenizers": [
                    ["type": "Split", "behavior": "Isolated", "pattern": ["String": "a."]],
                    ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false],
                ],
            ]
        }
        #expect(
            tokenizer.encode("aba.b", matchingAddedTokens: false)
                == [256, 0x61, 0x2E, 0x62].map { TokenID($0) })
    }

    /// Any damage to a file ends in a refusal or in a tokenizer that works; never in a trap.
    @Test func damagedFilesAreRefusedOrWork() throws {
        let whole = try Self.file()
        var numbers = SeededNumbers(seed: 2026)
        let bits: [[UInt8]] = ["\"", "{", "}", "[", "]", ",", ":", "-1", "null", "1e9", "\\u", "é"]
            .map(\.exact)
        for round in 0..<1_500 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3, using: &numbers) {
                let place = Int.random(in: bytes.indices, using: &numbers)
                switch Int.random(in: 0..<4, using: &numbers) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &numbers)
                case 1: bytes.remove(at: place)
                case 2:
                    bytes.insert(
                        contentsOf: bits[Int.random(in: bits.indices, using: &numbers)], at: place)
                default:
                    bytes.removeLast(Int.random(in: 0...min(bytes.count - 1, 40), using: &numbers))
                }
            }
            do {
                let tokenizer = try Tokenizer(parsing: bytes, file: "tokenizer.json")
                let tokens = tokenizer.encode("ab <s>é🙂\n 12", matchingAddedTokens: true)
                _ = tokenizer.decode(tokens, skippingSpecialTokens: round % 2 == 0)
            } catch {
                #expect(!error.description.contains("\n"))
            }
        }
    }
}
