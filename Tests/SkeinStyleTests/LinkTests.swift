import Testing

/// A link that leads nowhere is worse than none.
@Suite struct LinkTests {
    private static let documents = SourceTree.paths.filter { path in
        path.hasSuffix(".md") && !path.hasPrefix("Tests/Golden/oracle/")
            && !path.hasPrefix("cluster/models/")
    }

    @Test(arguments: documents)
    func everyRelativeLinkLeadsToAFile(_ path: String) {
        Finding.expectNone(
            Self.brokenLinks(path: path, text: SourceTree.text(path), exists: SourceTree.exists))
    }

    @Test(arguments: documents)
    func everyAnchorOfALinkIsAHeading(_ path: String) {
        Finding.expectNone(
            Self.brokenAnchors(path: path, text: SourceTree.text(path), textOf: SourceTree.text))
    }

    @Test func everyPathThatTheReadmeNamesIsThere() {
        let text = SourceTree.text("README.md")
        Finding.expectNone(Self.brokenPaths(path: "README.md", text: text))
    }

    @Test func theRulesFindWhatTheyShould() {
        let text = """
            [a](b.md) ![c](d/e.png "f") [g](https://h.example) [i](#j)
            [k](../l.md#m) <doc:Glossary> <doc:Lost>
            ```
            [n](nowhere.md)
            ```
            `[o](nowhere.md)`
            """
        let there: Set = ["x/b.md", "l.md", "x/Glossary.md"]
        let findings = Self.brokenLinks(path: "x/y.md", text: text) { there.contains($0) }
        #expect(findings.map(\.line) == [1, 2])
        let anchors = "# A b, c\n[d](#A-b-c) [e](f.md#g-h)\n[i](#b) [j](f.md#k)"
        let lost = Self.brokenAnchors(path: "x/y.md", text: anchors) { path in
            path == "x/f.md" ? "## G h" : ""
        }
        #expect(lost.map(\.line) == [3, 3])
        #expect(Self.brokenPaths(path: "a", text: "see `Sources/Nowhere/A.swift`").count == 1)
        #expect(Self.brokenPaths(path: "a", text: "see `Sources` and `swift build`").isEmpty)
    }

    // MARK: Rules

    private static func brokenLinks(
        path: String, text: String, exists: (String) -> Bool
    ) -> [Finding] {
        prose(text).flatMap { number, line in
            (targets(line) + articles(line)).compactMap { target in
                let file = String(target.split(separator: "#").first ?? "")
                guard !target.hasPrefix("#"), !target.contains(":"), !file.isEmpty else {
                    return nil
                }
                let full = resolve(file, from: path)
                guard !exists(full) else { return nil }
                return Finding(
                    path: path, line: number, rule: "link to \(target), which is not there")
            }
        }
    }

    /// Anchors are headings with `-` for blanks, without punctuation, in any case.
    private static func brokenAnchors(
        path: String, text: String, textOf: (String) -> String
    ) -> [Finding] {
        prose(text).flatMap { number, line in
            targets(line).compactMap { target in
                let parts = target.split(
                    separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, !target.contains(":") else { return nil }
                let isOwn = parts[0].isEmpty
                let other = isOwn ? text : textOf(resolve(String(parts[0]), from: path))
                guard !anchors(of: other).contains(parts[1].lowercased()) else { return nil }
                return Finding(
                    path: path, line: number, rule: "link to \(target), where no such heading is")
            }
        }
    }

    private static func anchors(of text: String) -> Set<String> {
        Set(
            prose(text).map(\.1).filter { $0.hasPrefix("#") }.map { line in
                let title = line.drop { $0 == "#" }.trimmingPrefix(" ").lowercased()
                return String(
                    title.filter { $0.isLetter || $0.isNumber || " -_".contains($0) }
                        .map { $0 == " " ? "-" : $0 })
            })
    }

    /// Paths of files in back quotes; one with `…` or `*` in it stands for many and is not held.
    private static func brokenPaths(path: String, text: String) -> [Finding] {
        let roots = ["Sources/", "Tests/", "cluster/", "proto/"]
        var findings: [Finding] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let pieces = line.split(separator: "`", omittingEmptySubsequences: false)
            for (place, piece) in pieces.enumerated() where place % 2 == 1 {
                guard roots.contains(where: { piece.hasPrefix($0) }),
                    !piece.contains(where: { "…*<{ ".contains($0) }),
                    !SourceTree.exists(String(piece))
                else { continue }
                findings.append(
                    Finding(path: path, line: index + 1, rule: "names \(piece), which is not there")
                )
            }
        }
        return findings
    }

    /// The lines outside of code blocks, without code in back quotes.
    private static func prose(_ text: String) -> [(Int, String)] {
        var isCode = false
        var lines: [(Int, String)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            if line.drop(while: { $0 == " " }).hasPrefix("```") { isCode.toggle() }
            if isCode { continue }
            let pieces = line.split(separator: "`", omittingEmptySubsequences: false)
            let words = pieces.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
            lines.append((index + 1, words.joined(separator: "`")))
        }
        return lines
    }

    private static func targets(_ line: String) -> [String] {
        line.split(separator: "](", omittingEmptySubsequences: false).dropFirst().compactMap {
            let inside = $0.prefix { $0 != ")" }
            return inside.split(separator: " ").first.map(String.init)
        }
    }

    private static func articles(_ line: String) -> [String] {
        line.split(separator: "<doc:", omittingEmptySubsequences: false).dropFirst().map {
            "\($0.prefix { $0 != ">" }).md"
        }
    }

    private static func resolve(_ target: String, from path: String) -> String {
        var parts = path.split(separator: "/").dropLast().map(String.init)
        for part in target.split(separator: "/") {
            switch part {
            case ".": break
            case "..": parts = parts.dropLast()
            default: parts.append(String(part))
            }
        }
        return parts.joined(separator: "/")
    }
}
