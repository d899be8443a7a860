import Testing

/// Documents, and the names, comments and messages of sources, use plain words of the field, so
/// that readers and their searches find them.
@Suite struct WordsTests {
    private static let documents = SourceTree.paths.filter { path in
        path.hasSuffix(".md") && !path.hasPrefix("Tests/Golden/oracle/")
    }

    @Test(arguments: documents)
    func aDocumentHasNoOldOrInventedWord(_ path: String) {
        Finding.expectNone(Self.findings(path: path, text: SourceTree.text(path)))
    }

    @Test func aSourceHasNoOldOrInventedWord() {
        // This file alone says which words they are.
        let sources = SourceTree.sources.filter { !$0.path.hasSuffix("WordsTests.swift") }
        Finding.expectNone(
            sources.flatMap {
                Self.findings(path: $0.path, text: $0.lines.joined(separator: "\n"), isSource: true)
            })
    }

    @Test(arguments: [
        "Foretells the load.", "what it was foretold", "how it bears a load", "over the road",
        "whoever asks", "the lie of experts", "It shall run.", "asked in vain", "It is mended.",
        "as reckoned", "begins anew", "amid a head", "said hitherto", "for nought",
    ])
    func anOldWordIsFound(_ text: String) {
        #expect(Self.findings(path: "a.md", text: text).count == 1)
    }

    @Test(arguments: [
        "a broad bearer of shallow, recommended roadmaps", "Authorization: Bearer KEY",
        "`roads` in code", "it relies on a client", "an amendment in vanity",
    ])
    func otherWordsAreLeftAlone(_ text: String) {
        #expect(Self.findings(path: "a.md", text: text).isEmpty)
    }

    @Test func wordsInCodeBlocksAreLeftAlone() {
        #expect(Self.findings(path: "a.md", text: "```\nthe road\n```\n").isEmpty)
    }

    // MARK: Rules

    /// Each word, or two that follow each other, with what to write in its place.
    private static let replacements = [
        "foretell": "predict", "foretells": "predicts", "foretold": "predicted",
        "foretelling": "predicting", "bear": "serve, sustain", "bears": "serves, sustains",
        "bore": "sustained", "borne": "sustained", "road": "link", "roads": "links",
        "whoever": "name the actor", "whosoever": "name the actor", "lie of": "placement of",
        "shall": "must, will", "in vain": "without result", "mend": "fix", "mends": "fixes",
        "mended": "fixed", "reckon": "compute", "reckons": "computes", "reckoned": "computed",
        "anew": "again", "amid": "within", "hitherto": "so far", "nought": "zero",
        "thereof": "of it", "whence": "from where", "thither": "there",
    ]

    private static func findings(
        path: String, text: String, isSource: Bool = false
    ) -> [Finding] {
        var isCode = false
        var findings: [Finding] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            if line.drop(while: { $0 == " " }).hasPrefix("```") { isCode.toggle() }
            if isCode { continue }
            // Names in back quotes are code.
            let pieces = line.split(separator: "`", omittingEmptySubsequences: false)
            for (place, piece) in pieces.enumerated() where isSource || place % 2 == 0 {
                findings += words(of: piece).compactMap { word in
                    replacements[word].map {
                        Finding(path: path, line: index + 1, rule: "'\(word)'; write: \($0)")
                    }
                }
            }
        }
        return findings
    }

    /// The words of a text in lower case, and each two that follow each other; a name in camel case
    /// is as many as it is made of.
    private static func words(of text: Substring) -> [String] {
        var spaced = ""
        let characters = Array(text)
        for (place, character) in characters.enumerated() {
            let next = place + 1 < characters.count ? characters[place + 1] : " "
            let before = place > 0 ? characters[place - 1] : " "
            if character.isUppercase, before.isLowercase || next.isLowercase { spaced += " " }
            spaced.append(character)
        }
        let single = spaced.lowercased().split { !$0.isLetter }.map(String.init)
        return single + zip(single, single.dropFirst()).map { "\($0) \($1)" }
    }
}
