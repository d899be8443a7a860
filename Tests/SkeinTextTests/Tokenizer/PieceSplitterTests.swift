import SkeinCore
import Testing

@testable import SkeinText

@Suite struct PieceSplitterTests {
    /// The reference is Hugging Face tokenizers; see `note` in the file.
    @Test func everyFamilysPatternsCutAsTheReferenceDoes() throws {
        let root = try Golden.json("Tests/Golden/text/pieces.json")
        for pattern in try #require(root["patterns"]?.array) {
            let name = pattern["name"]?.string ?? ""
            var stages: [PieceSplitter.Stage] = []
            for stage in try #require(pattern["stages"]?.array) {
                stages.append(
                    try PieceSplitter.stage(pattern: stage.string ?? "", subject: name))
            }
            let splitter = PieceSplitter(stages: stages)
            for entry in try #require(pattern["pieces"]?.array) {
                let expected = try #require(entry.array).map { $0.string?.exact ?? [] }
                let text = expected.flatMap(\.self)
                #expect(Self.cut(text, by: splitter) == expected, "\(name): \(entry.pythonText)")
            }
        }
    }

    @Test func theSplitsByHandEqualTheirPatterns() throws {
        let patterns = [
            PieceSplitter.digitTriplesPattern, PieceSplitter.ideographsPattern,
            PieceSplitter.wordsPattern,
        ]
        let byHand = try patterns.map { try PieceSplitter.stage(pattern: $0, subject: "test") }
        let slow = try patterns.map {
            try PieceSplitter.stage(pattern: $0, subject: "test", isRunByHand: false)
        }
        for stage in byHand {
            if case .pattern = stage { Issue.record("the pattern is not known by hand") }
        }
        for seed in UInt64(0)..<400 {
            let text = Self.randomText(seed: seed)
            for count in 1...3 {
                let fast = PieceSplitter(stages: Array(byHand.prefix(count)))
                let twin = PieceSplitter(stages: Array(slow.prefix(count)))
                #expect(Self.cut(text, by: fast) == Self.cut(text, by: twin), "seed \(seed)")
            }
        }
    }

    /// Scalars of every class the patterns tell apart, and any others.
    static func randomText(seed: UInt64) -> [UInt8] {
        var numbers = SeededNumbers(seed: seed)
        let nasty = Array(
            "aZéß'!_-｜ \t\r\n\u{A0}\u{3000}\u{2028}\u{0}\u{301}19½Ⅳ５一龥龦ぁヿ漢가€🙂\u{200D}"
                .unicodeScalars)
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...60, using: &numbers) {
            if Int.random(in: 0..<8, using: &numbers) == 0,
                let any = Unicode.Scalar(UInt32.random(in: 0..<0x20000, using: &numbers))
            {
                text.append(any)
            } else {
                text.append(nasty[Int.random(in: nasty.indices, using: &numbers)])
            }
        }
        return Array(String(text).utf8)
    }

    @Test func aRunThatNeverMatchesIsLookedAtOnce() throws {
        let stage = try PieceSplitter.stage(pattern: #"\s+$"#, subject: "test")
        let text = String(repeating: " ", count: TestSizes.long) + "x"
        #expect(Self.cut(text.exact, by: PieceSplitter(stages: [stage])).count == 1)
    }

    @Test(arguments: [
        ("(?:ab)+", "repeated group"), ("a+?", "lazy"), ("(?<=a)b", "group"), ("[a", "']'"),
        ("a)", "')'"), ("(a", "')'"), (#"\p{Greek}"#, "Greek"), (#"\b"#, "escape"), ("*a", "'*'"),
        ("a{2,1}", "repetition"), ("a{", "'}'"), (#"a\"#, "end"), ("[z-a]", "backwards"),
        ("[[:alpha:]]", "POSIX"), (String(repeating: "(", count: 40), "deep"),
        (String(repeating: "[", count: 40), "deep"),
    ])
    func aPatternThatCannotBeRunIsRefused(pattern: String, word: String) {
        #expect {
            try PieceSplitter.stage(pattern: pattern, subject: "tokenizer.json: Regex")
        } throws: { error in
            let line = "\(error)"
            return line.hasPrefix("tokenizer.json: Regex: ") && line.contains(word)
        }
    }

    @Test(arguments: [
        ("a{2}b?", "aab|aa|ab", ["aab", "|", "aa", "|ab"]),
        ("x(?:y|z)?", "xyxzx", ["xy", "xz", "x"]),
        ("(?i:k)a", "KaKaka", ["Ka", "Ka", "ka"]), ("a++b", "aab", ["aab"]),
        ("a++a", "aaa", ["aaa"]),
        ("^a", "aa\na", ["a", "a\n", "a"]), ("[^a&&[a-c]]+", "abcd", ["a", "bcd"]),
        (#"[\x{41}-\u0043]+"#, "ABCD", ["ABC", "D"]), (".", "a\nb", ["a", "\n", "b"]),
    ])
    func smallPatternsMatchAsWritten(pattern: String, text: String, pieces: [String]) throws {
        let stage = try PieceSplitter.stage(pattern: pattern, subject: "test")
        let found = Self.cut(text.exact, by: PieceSplitter(stages: [stage]))
        #expect(found == pieces.map(\.exact))
    }

    static func cut(_ bytes: [UInt8], by splitter: PieceSplitter) -> [[UInt8]] {
        let text = ScalarText(bytes, in: 0..<bytes.count)
        return splitter.pieces(of: text).map { Array(bytes[text.byteRange(of: $0)]) }
    }
}

/// Sizes that show the growth of a cost without making debug builds slow.
enum TestSizes {
    #if DEBUG
    static let long = 100_000
    #else
    static let long = 1_000_000
    #endif
}
