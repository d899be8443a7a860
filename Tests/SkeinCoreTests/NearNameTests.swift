import Testing

@testable import SkeinCore

@Suite struct NearNameTests {
    private static let names = ["up", "node", "serve", "generate", "score", "health", "bench"]

    @Test(arguments: [
        ("serv", "serve"), ("server", "serve"), ("sevre", "serve"), ("generat", "generate"),
        ("helth", "health"), ("Serve", "serve"), ("nodes", "node"), ("benchmark", nil),
        ("", nil), ("x", nil), ("zzzz", nil), ("run", nil),
    ])
    func aMistypedNameIsFoundAndAForeignOneIsNot(_ word: String, _ expected: String?) {
        #expect(NearName.of(word, among: Self.names) == expected)
    }

    @Test func aLongWordCostsLittle() {
        #expect(NearName.of(String(repeating: "a", count: 1_000_000), among: Self.names) == nil)
        #expect(NearName.of("serve", among: []) == nil)
    }
}

@Suite struct GitPointerTests {
    @Test(arguments: [JSONRules.file, .lenient])
    func aPointerIsNoJSONFileButAPointer(_ rules: JSONRules) {
        let text = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n"
        #expect {
            try JSONValue(parsing: Array(text.utf8), subject: "tokenizer.json", rules: rules)
        } throws: { "\($0)".hasPrefix("tokenizer.json: is a Git LFS pointer") }
        #expect(throws: Never.self) {
            try GitPointer.refuse(Array("version 2".utf8), subject: "other")
        }
    }
}
