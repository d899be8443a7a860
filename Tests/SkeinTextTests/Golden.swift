import Foundation
import SkeinCore
import Testing

@testable import SkeinText

/// Files of the repository that tests compare with.
enum Golden {
    /// The root of the repository, three folders above this file.
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func path(_ relative: String) -> String { root.appending(path: relative).path }

    static func json(_ relative: String) throws -> JSONValue {
        let bytes = [UInt8](try Data(contentsOf: root.appending(path: relative)))
        return try JSONValue(parsing: bytes, subject: relative, rules: .lenient)
    }

    static let goslingTokenizer = path(
        "Tests/Golden/oracle/vectors/tokenizer_gosling.tokenizer.json")

    static func gosling() throws -> Tokenizer { try Tokenizer(tokenizerFile: goslingTokenizer) }
}

/// One vector of `tokenizer_*.json`.
struct TokenizerVectors {
    struct Line {
        var text: String
        var tokens: [TokenID]
        var plainTokens: [TokenID]
        var decoded: String
        var decodedWithoutSpecial: String
    }

    var strings: [Line] = []
    var sequences: [Line] = []

    init(_ relative: String) throws {
        let root = try Golden.json(relative)
        strings = try #require(root["strings"]?.array).map(Self.line)
        sequences = try #require(root["sequences"]?.array).map(Self.line)
    }

    private static func line(_ entry: JSONValue) throws -> Line {
        let tokens = try tokens(#require(entry["ids"]))
        return Line(
            text: entry["text"]?.string ?? "", tokens: tokens,
            plainTokens: try entry["ids_without_markers"].map(Self.tokens) ?? tokens,
            decoded: try #require(entry["decoded"]?.string),
            decodedWithoutSpecial: try #require(entry["decoded_skip_special"]?.string))
    }

    private static func tokens(_ list: JSONValue) throws -> [TokenID] {
        try #require(list.array).map { TokenID(try #require($0.integer)) }
    }
}

/// A small generator whose numbers depend on the seed alone.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

extension String {
    /// The bytes, since `==` of strings takes two spellings of a character for the same.
    var exact: [UInt8] { Array(utf8) }
}
