import Testing

@Suite struct SourceScannerTests {
    private func words(_ text: String, path: String = "Sources/SkeinCore/A.swift") -> [String] {
        SourceFile(path: path, text).tokens.filter { $0.kind == .word }.map(\.text)
    }

    @Test func wordsOfCommentsAndTextsAreNoCode() {
        #expect(words("let a = \"b c\" // d\n/* e /* f */ g */ let h") == ["let", "a", "let", "h"])
    }

    @Test func codeInsideATextIsCode() {
        #expect(words(#"let a = "b \(c(d) + "e \(f)") g""#) == ["let", "a", "c", "d", "f"])
    }

    @Test func textsWithHashMarksEndWhereTheyShould() {
        #expect(words(##"let a = #"b " \(c) "#; d = #"\#(e)"#"##) == ["let", "a", "d", "e"])
    }

    @Test func longTextsKeepTheLineNumbers() {
        let file = SourceFile("let a = \"\"\"\n  b \"c\"\n  \"\"\"\nlet d")
        #expect(file.tokens.last == SourceToken(kind: .word, text: "d", line: 4, follows: true))
        #expect(file.tokens.contains { $0.kind == .text && $0.text.contains("b \"c\"") })
    }

    @Test func charactersOfCAreNoCode() {
        #expect(
            words("char a = '\"'; char b = '\\'';", path: "Sources/C/a.c") == [
                "char", "a", "char", "b",
            ])
    }

    @Test func commentsAreKnownByLine() {
        let file = SourceFile("// one\n// two\n\nlet a = 1  // three\n")
        #expect(file.comments == [1: "one", 2: "two", 4: "three"])
        #expect(file.firstComment == "one two")
    }
}
