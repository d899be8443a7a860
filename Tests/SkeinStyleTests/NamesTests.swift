import Testing

/// One word, one meaning: words that mean everything are not used alone (Glossary.md).
@Suite struct NamesTests {
    @Test func noDeclarationUsesABannedWordAlone() {
        Finding.expectNone(SourceTree.sources.filter(\.isSwift).flatMap(Self.bannedNames))
    }

    @Test func noFileIsADrawerForEverything() {
        Finding.expectNone(SourceTree.sources.flatMap(Self.drawerName))
    }

    @Test func everyFileIsNamedAfterItsMainType() {
        Finding.expectNone(SourceTree.sources.filter(\.isSwift).flatMap(Self.strangeName))
    }

    @Test(arguments: [
        "let batch = 1", "struct Context {}", "func process() {}", "func handleFrame() {}",
        "func a(_ data: Int) {}", "func a(info: Int) {}", "for group in b {}",
        "enum A { case rank }",
        "enum A { case b, cache(Int) }", "if let manager {}", "func a(_ b: C = d(e), worker: F) {}",
        "actor Util {}", "init(from data: A) {}",
    ])
    func aBannedWordIsFound(_ text: String) {
        #expect(Self.bannedNames(SourceFile(text)).count == 1)
    }

    @Test(arguments: [
        "let microBatch = 1", "struct CacheLine {}", "func processor() {}", "a.handle()",
        "func a(context requestContext: Int) {}", "switch a { case .data: b(group: c) }",
        "// let batch", "let a = \"let data\"", "a { data in b }", "case let .data(value): a",
        "enum A { case b(data: C) }", "func handles() {}",
    ])
    func otherWordsAreLeftAlone(_ text: String) {
        #expect(Self.bannedNames(SourceFile(text)).isEmpty)
    }

    @Test func fileNamesAreHeldAgainstTheirTypes() {
        let type = "struct Sampler {}"
        func found(_ name: String, _ text: String) -> Bool {
            !Self.strangeName(SourceFile(path: "Sources/SkeinCore/\(name).swift", text)).isEmpty
        }
        #expect(!found("Sampler", type))
        #expect(!found("Sampler+Greedy", "extension Sampler {}"))
        #expect(found("Sampling", type))
        #expect(found("Sampler+Greedy", "extension Other {}"))
        #expect(!found("Sampling", "// What drawing and ranking have in common.\n\(type)"))
        let drawer = SourceFile(path: "Sources/SkeinCore/WireUtils.swift", "")
        #expect(Self.drawerName(drawer).count == 1)
    }

    // MARK: Rules

    private static let replacements = [
        "batch": "microBatch", "group": "expertGroup or scaleGroup", "cache": "latentPool or pages",
        "context": "what it is the surrounding of", "data": "bytes, or what the bytes mean",
        "info": "what it tells", "manager": "what it decides or owns",
        "handler": "what it does on what event", "helper": "what it does", "util": "what it does",
        "worker": "stage, node or thread", "rank": "stageIndex",
    ]

    private static func bannedNames(_ file: SourceFile) -> [Finding] {
        declaredNames(file).compactMap { name, line, isFunction in
            if let wanted = replacements[name.lowercased()] {
                return file.finding(line, "'\(name)' alone says too little; write \(wanted)")
            }
            let verb = ["process", "handle"].first { name == $0 || isVerb($0, of: name) }
            guard isFunction, let verb else { return nil }
            return file.finding(line, "'\(verb)' can mean anything; name what '\(name)' does")
        }
    }

    private static func isVerb(_ verb: String, of name: String) -> Bool {
        name.hasPrefix(verb) && (name.dropFirst(verb.count).first?.isUppercase ?? false)
    }

    private typealias Name = (text: String, line: Int, isFunction: Bool)

    /// Every name that the file declares: types, functions, values, cases and parameters.
    private static func declaredNames(_ file: SourceFile) -> [Name] {
        let keywords: Set = [
            "let", "var", "class", "struct", "enum", "actor", "protocol", "typealias", "func",
            "for", "associatedtype",
        ]
        var names: [Name] = []
        for (index, token) in file.tokens.enumerated() where token.kind == .word {
            if token.text == "case" { names += caseNames(file, index) }
            if token.text == "func" || token.text == "init" { names += parameters(file, index) }
            guard keywords.contains(token.text), let next = file.token(index + 1),
                next.kind == .word, file.token(index - 1)?.text != "."
            else { continue }
            names.append((next.text, next.line, token.text == "func"))
        }
        return names
    }

    private static func caseNames(_ file: SourceFile, _ start: Int) -> [Name] {
        var names: [Name] = []
        var index = start + 1
        while let token = file.token(index), token.kind == .word, token.text != "let",
            token.text != "var"
        {
            names.append((token.text, token.line, false))
            index += 1
            if file.token(index)?.text == "(" { index = file.closing(index) + 1 }
            guard file.token(index)?.text == "," else { break }
            index += 1
        }
        // `case name:` is a pattern of a switch; an enumeration's case has no colon.
        return file.token(index)?.text == ":" ? [] : names
    }

    /// The inner names of a function's parameters; a label may be an outside protocol's choice.
    private static func parameters(_ file: SourceFile, _ start: Int) -> [Name] {
        let isMember = file.token(start - 1)?.text == "." || file.token(start + 1)?.text == "."
        guard !isMember, let open = file.next("(", from: start) else { return [] }
        var names: [Name] = []
        var depth = 0
        for index in open...file.closing(open) {
            let token = file.tokens[index]
            if token.kind == .mark, "([{".contains(token.text) { depth += 1 }
            if token.kind == .mark, ")]}".contains(token.text) { depth -= 1 }
            if depth == 1, token.kind == .word, file.token(index + 1)?.text == ":" {
                names.append((token.text, token.line, false))
            }
        }
        return names
    }

    private static func drawerName(_ file: SourceFile) -> [Finding] {
        let words = ["Util", "Helper", "Manager", "Common", "Misc"]
        guard let word = words.first(where: { file.name.contains($0) }) else { return [] }
        return [file.finding(1, "'\(word)' in a file's name; name it after its main type")]
    }

    /// `Type.swift` declares a type with that name in its own, `Type+Topic.swift` extends it.
    private static func strangeName(_ file: SourceFile) -> [Finding] {
        let kinds: Set = [
            "struct", "class", "enum", "actor", "protocol", "typealias", "extension",
        ]
        let types = file.tokens.indices.compactMap { index -> String? in
            guard file.tokens[index].kind == .word, kinds.contains(file.tokens[index].text),
                var last = file.token(index + 1), last.kind == .word
            else { return nil }
            // An extension of `Outer.Inner` is one of `Inner` too.
            var place = index + 1
            while file.token(place + 1)?.text == ".", let inner = file.token(place + 2) {
                last = inner
                place += 2
            }
            return last.text
        }
        let wanted = String(file.name.split(separator: "+").first ?? "")
        let isThere = types.contains { $0.contains(wanted) || $0 + "s" == wanted }
        guard !isThere, file.name != "main", file.firstComment.isEmpty else { return [] }
        return [
            file.finding(
                1,
                "declares no \(wanted); name the file after its main type, or begin it with a "
                    + "comment that says what its declarations have in common")
        ]
    }
}
