import Testing

/// What can go wrong silently stays behind its door, or says why it cannot.
@Suite struct UnsafeTests {
    @Test func pointersStayBehindTheThreeDoors() {
        Finding.expectNone(SourceTree.sources.filter(\.isSwift).flatMap(Self.pointers))
    }

    @Test func noErrorIsSwallowedAndNoValueForced() {
        Finding.expectNone(Self.written(in: "Sources/").flatMap(Self.forced))
    }

    @Test func everyPromiseToTheCompilerSaysWhyItHolds() {
        Finding.expectNone(SourceTree.sources.filter(\.isSwift).flatMap(Self.promises))
    }

    @Test func everyStreamHasABufferingPolicy() {
        Finding.expectNone(SourceTree.sources.filter(\.isSwift).flatMap(Self.streams))
    }

    @Test func noTestSleeps() {
        Finding.expectNone(Self.written(in: "Tests/").flatMap(Self.sleeps))
    }

    @Test func nothingIsLeftForLater() {
        Finding.expectNone(SourceTree.sources.flatMap(Self.leftovers))
    }

    @Test func noPathOfOneMachineIsWrittenDown() {
        let paths = SourceTree.paths.filter { path in
            let isForeign =
                path.hasPrefix("Tests/Golden/") || path.hasPrefix("cluster/models/")
                || path.hasPrefix("Sources/CSkeinProto/")
            return !isForeign && path != "LICENSE"
        }
        Finding.expectNone(
            paths.flatMap { Self.machinePaths(path: $0, text: SourceTree.text($0)) })
    }

    // MARK: The rules find what they should

    @Test(arguments: [
        "let a: UnsafePointer<Int>", "a.withUnsafeBytes { b }", "let a: OpaquePointer",
        "unsafeBitCast(a, to: B.self)",
    ])
    func aPointerIsFound(_ text: String) {
        #expect(Self.pointers(SourceFile(text)).count == 1)
        let door = SourceFile(path: "Sources/SkeinTensor/A.swift", text)
        #expect(Self.pointers(door).isEmpty)
        let test = SourceFile(path: "Tests/SkeinTensorTests/A.swift", text)
        #expect(Self.pointers(test).isEmpty)
    }

    @Test(arguments: [
        "let a = try? b()", "let a = try! b()", "let a = b as! C", "a!.b()", "a[0]! + 1",
        "a()!", "var a: Int!", "let a = \"\\(b!)\"",
    ])
    func aForcedValueIsFound(_ text: String) {
        #expect(Self.forced(SourceFile(text)).count == 1)
    }

    @Test(arguments: [
        "a != b", "!a && !b", "if (!a) {}", "// a!", "\"a!\"", "a ? !b : c", "try a()", "[!a, !b]",
        "a as? B", "a! = b".replacing("!", with: ""),
    ])
    func soundCodeIsLeftAlone(_ text: String) {
        #expect(Self.forced(SourceFile(text)).isEmpty)
    }

    @Test func aPromiseNeedsASentence() {
        let promise = "final class A: @unchecked Sendable {}"
        #expect(Self.promises(SourceFile(promise)).count == 1)
        #expect(Self.promises(SourceFile("// safe\n\(promise)")).count == 1)
        #expect(Self.promises(SourceFile("// One lock guards all of it.\n\(promise)")).isEmpty)
        let wrapped = "/// A.\n///\n/// Safe: one lock guards all of it.\npublic final\n\(promise)"
        #expect(Self.promises(SourceFile(wrapped)).isEmpty)
    }

    @Test(arguments: [
        ("AsyncStream<A>.makeStream()", 1), ("AsyncStream<A> { b in c }", 1),
        ("let a = AsyncThrowingStream(A.self) { b }", 1), ("let a: AsyncStream<B>", 0),
        ("func a() -> AsyncStream<B> { c }", 0), ("var a: AsyncStream<B> { c }", 0),
        ("AsyncStream<A>.makeStream(bufferingPolicy: .bufferingNewest(1))", 0),
        ("AsyncStream(A.self, bufferingPolicy: .unbounded) { b }", 1),
        ("AsyncStream(unfolding: { a })", 0),
    ])
    func aStreamWithoutAPolicyIsFound(_ text: String, _ count: Int) {
        #expect(Self.streams(SourceFile(text)).count == count)
    }

    @Test func sleepingAndLeftoversAreFound() {
        #expect(Self.sleeps(SourceFile("try await Task.sleep(for: a); usleep(1)")).count == 2)
        #expect(Self.sleeps(SourceFile("clock.sleepers.count")).isEmpty)
        let word = "TO" + "DO"
        #expect(Self.leftovers(SourceFile("let a = 1  // \(word): b")).count == 1)
        #expect(Self.leftovers(SourceFile("let autodoc = 1  // mastodon")).isEmpty)
        let path = "/wo" + "rk/a"
        #expect(Self.machinePaths(path: "a.md", text: "b\nin \(path)").map(\.line) == [2])
        #expect(Self.machinePaths(path: "a.md", text: "net\(path) and ../framework/").isEmpty)
    }

    // MARK: Rules

    private static let doors: Set = ["SkeinTensor", "SkeinWire", "SkeinTransport"]

    private static func written(in folder: String) -> [SourceFile] {
        SourceTree.sources.filter { $0.isSwift && $0.path.hasPrefix(folder) }
    }

    private static func pointers(_ file: SourceFile) -> [Finding] {
        let room = file.room.hasSuffix("Tests") ? String(file.room.dropLast(5)) : file.room
        // libFuzzer calls back with a pointer; its driver is a door of the tests.
        guard !doors.contains(room), !file.path.hasSuffix("/FuzzDriver.swift") else { return [] }
        return file.tokens.filter { token in
            let text = token.text
            return token.kind == .word
                && (text.contains("Unsafe") || text.hasPrefix("unsafe") || text == "OpaquePointer")
                // `nonisolated(unsafe)` is no pointer; it needs a reason, as below.
                && text != "unsafe"
                // The word in this suite's own name.
                && !text.hasPrefix("UnsafeTests")
        }.map { token in
            file.finding(
                token.line,
                "'\(token.text)' outside of SkeinTensor, SkeinWire and SkeinTransport; "
                    + "use Span or an array, or ask one of the three")
        }
    }

    private static func forced(_ file: SourceFile) -> [Finding] {
        file.tokens.indices.compactMap { index in
            let token = file.tokens[index]
            guard token.kind == .mark, !token.follows, let before = file.token(index - 1) else {
                return nil
            }
            if token.text == "?", before.text == "try", before.kind == .word {
                return file.finding(
                    token.line, "'try?' swallows the reason; catch the error or let it through")
            }
            let isNotEqual = file.token(index + 1)?.text == "=" && !file.tokens[index + 1].follows
            let endsValue =
                before.kind != .mark || [")", "]", "}", ">", "?"].contains(before.text)
            guard token.text == "!", endsValue, !isNotEqual else { return nil }
            return file.finding(
                token.line,
                "'!' forces a value; use guard, or throw a Refusal that says what is wrong")
        }
    }

    private static func promises(_ file: SourceFile) -> [Finding] {
        file.tokens.indices.compactMap { index in
            let token = file.tokens[index]
            let isUnguarded = token.text == "unsafe" && file.token(index - 2)?.text == "nonisolated"
            guard token.kind == .word, token.text == "unchecked" || isUnguarded else { return nil }
            let around = max(1, token.line - 4)...token.line
            let sentences = around.compactMap { file.comments[$0] }.joined(separator: " ")
            guard sentences.split(separator: " ").count < 4 else { return nil }
            return file.finding(
                token.line,
                "'\(token.text)' without a reason; say in a comment above why it is safe")
        }
    }

    private static func streams(_ file: SourceFile) -> [Finding] {
        file.tokens.indices.compactMap { index in
            let token = file.tokens[index]
            guard token.kind == .word else { return nil }
            if token.text == "makeStream" { return unlimited(file, index + 1, token) }
            guard token.text == "AsyncStream" || token.text == "AsyncThrowingStream" else {
                return nil
            }
            // After a colon, an arrow or a dot it is a type, not a call.
            let before = file.token(index - 1)?.text ?? ""
            if [":", ">", ".", "<", "some", "any", "?", "&"].contains(before) { return nil }
            var next = index + 1
            if file.token(next)?.text == "<" { next = file.closing(next) + 1 }
            guard let open = file.token(next)?.text, open == "(" || open == "{" else { return nil }
            return unlimited(file, next, token)
        }
    }

    private static func unlimited(
        _ file: SourceFile, _ open: Int, _ token: SourceToken
    ) -> Finding? {
        guard file.token(open)?.text == "(" || file.token(open)?.text == "{" else { return nil }
        let words = file.tokens[open...file.closing(open)].map(\.text)
        let isCall = file.tokens[open].text == "("
        let hasPolicy = words.contains("bufferingPolicy") && !words.contains("unbounded")
        guard !(isCall && (hasPolicy || words.contains("unfolding"))) else { return nil }
        return file.finding(
            token.line,
            "a stream without a limit; give it bufferingPolicy: .bufferingNewest or "
                + ".bufferingOldest with a number from Limits")
    }

    private static func sleeps(_ file: SourceFile) -> [Finding] {
        file.tokens.indices.compactMap { index in
            let token = file.tokens[index]
            let names = ["sleep", "usleep", "nanosleep"]
            guard token.kind == .word, names.contains(token.text),
                file.token(index + 1)?.text == "("
            else { return nil }
            return file.finding(
                token.line, "a test that sleeps; await an event of the thing under test instead")
        }
    }

    /// Words that promise work for later; this suite spells them in pieces to stay clean itself.
    private static let laterWords: Set = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]

    private static func leftovers(_ file: SourceFile) -> [Finding] {
        let filler = "place" + "holder"
        return file.comments.sorted { $0.key < $1.key }.compactMap { line, comment in
            let words = comment.split { !($0.isLetter || $0 == "_") }.map(String.init)
            let word = words.first { laterWords.contains($0) || $0.lowercased() == filler }
            return word.map {
                file.finding(line, "'\($0)' in a comment; do it now or leave it out")
            }
        }
    }

    private static let machineFolders = ["/wo" + "rk/", "/tmp/ba" + "sh_jobs", "/Us" + "ers/"]

    private static func machinePaths(path: String, text: String) -> [Finding] {
        guard machineFolders.contains(where: { text.contains($0) }) else { return [] }
        var findings: [Finding] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let isThere = machineFolders.contains { folder in
                line.ranges(of: folder).contains { range in
                    guard range.lowerBound > line.startIndex else { return true }
                    let before = line[line.index(before: range.lowerBound)]
                    return !(before.isLetter || before.isNumber || "-_.".contains(before))
                }
            }
            guard isThere else { continue }
            findings.append(
                Finding(
                    path: path, line: index + 1,
                    rule: "a path of one machine; write it relative to the repository"))
        }
        return findings
    }
}
