import Testing

/// A screen holds a thought: 100 columns, 70 lines a function, 400 lines a file.
@Suite struct LengthTests {
    @Test func noLineIsLongerThan100Columns() {
        Finding.expectNone(SourceTree.sources.flatMap(Self.longLines))
    }

    @Test func noScriptOrSchemaLineIsLongerThan100Columns() {
        let paths = SourceTree.paths.filter { path in
            [".proto", ".yaml", ".yml", ".sh", ".bash", ".py"].contains { path.hasSuffix($0) }
                || ["Package.swift", "cluster/lab/relay.c", ".ci/run"].contains(path)
                || path.hasPrefix("cluster/") && !path.contains(".")
        }
        Finding.expectNone(
            paths.flatMap { Self.longLines(SourceFile(path: $0, bytes: SourceTree.bytes($0))) })
    }

    @Test func noFunctionIsLongerThan70Lines() {
        Finding.expectNone(SourceTree.sources.flatMap(Self.longFunctions))
    }

    @Test func noFileIsLongerThan400LinesWithoutAReason() {
        Finding.expectNone(SourceTree.sources.flatMap(Self.longFile))
    }

    @Test func theRulesFindWhatTheyShould() {
        let line = String(repeating: "é", count: 100)
        #expect(Self.longLines(SourceFile("// ok\n\(line)\n\(line)é")).map(\.line) == [3])
        let body = String(repeating: "    a()\n", count: 69)
        let short = "func a() {\n\(body.dropLast(8))}\n"
        let long = "init<T: B>(_ c: [T] = [{ d() }]) where T: E {\n\(body)}\n"
        #expect(Self.longFunctions(SourceFile(short + long)).map(\.line) == [71])
        let nested = "var a: Int {\n\(body)}\nfunc b()\nvar c: D { e }\n"
        #expect(Self.longFunctions(SourceFile(nested)).isEmpty)
        let code = SourceFile(path: "Sources/C/a.c", "static int a(int b)\n{\n\(body)}\n")
        #expect(Self.longFunctions(code).map(\.line) == [1])
        #expect(Self.longFile(SourceFile(String(repeating: "\n", count: 401))).count == 1)
        let reason = "// Longer than a file should be: one table.\n"
        #expect(Self.longFile(SourceFile(reason + String(repeating: "\n", count: 401))).isEmpty)
    }

    // MARK: Rules

    private static func longLines(_ file: SourceFile) -> [Finding] {
        file.lines.enumerated().compactMap { index, line in
            guard line.utf8.count > 100, line.unicodeScalars.count > 100 else { return nil }
            let count = line.unicodeScalars.count
            return file.finding(index + 1, "\(count) columns; break the line before column 101")
        }
    }

    private static func longFunctions(_ file: SourceFile) -> [Finding] {
        (file.isSwift ? functions(file) : functionsOfC(file)).compactMap { name, first, last in
            let count = last - first + 1
            guard count > 70 else { return nil }
            return file.finding(
                first, "\(name) has \(count) lines; give its steps names until it has at most 70")
        }
    }

    private static func longFile(_ file: SourceFile) -> [Finding] {
        let count = file.lines.count - (file.lines.last == "" ? 1 : 0)
        let hasReason = file.firstComment.lowercased().contains("longer than")
        guard count > 400, !hasReason else { return [] }
        return [
            file.finding(
                1,
                "\(count) lines; split it by topic (Type+Topic.swift), or begin it with a comment "
                    + "that says why it is longer than a file should be")
        ]
    }

    private typealias Function = (name: String, first: Int, last: Int)

    /// Functions and initialisers that have a body.
    private static func functions(_ file: SourceFile) -> [Function] {
        file.tokens.indices.compactMap { index in
            let token = file.tokens[index]
            let isMember = file.token(index - 1)?.text == "."
            guard token.kind == .word, token.text == "func" || token.text == "init", !isMember,
                let open = bodyStart(file, after: index)
            else { return nil }
            let name = token.text == "func" ? file.token(index + 1)?.text ?? "" : "init"
            return (name, token.line, file.tokens[file.closing(open)].line)
        }
    }

    /// The brace after a declaration's parameters; none where the next declaration comes first.
    private static func bodyStart(_ file: SourceFile, after start: Int) -> Int? {
        guard let parameters = file.next("(", from: start) else { return nil }
        let ends = ["func", "var", "let", "init", "case", "}", ";", "struct", "class", "enum"]
        var index = file.closing(parameters) + 1
        while let token = file.token(index) {
            if token.kind == .mark, token.text == "{" { return index }
            if token.kind != .text, ends.contains(token.text) { return nil }
            index = token.text == "(" ? file.closing(index) + 1 : index + 1
        }
        return nil
    }

    /// A brace outside of all others, after a parenthesis, begins a function of C.
    private static func functionsOfC(_ file: SourceFile) -> [Function] {
        var functions: [Function] = []
        var index = 0
        var first = 0
        while let token = file.token(index) {
            if token.text == "{", token.kind == .mark {
                let end = file.closing(index)
                if file.token(index - 1)?.text == ")" {
                    functions.append(("function", file.tokens[first].line, file.tokens[end].line))
                }
                index = end
            }
            if token.text == ";" || token.text == "{" { first = index + 1 }
            index += 1
        }
        return functions
    }
}
