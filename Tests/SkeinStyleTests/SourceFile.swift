/// One piece of code between white space, comments and other pieces.
struct SourceToken: Equatable {
    /// What a token is made of.
    enum Kind { case word, number, text, mark }

    let kind: Kind
    /// The word, or one mark, or what stands between quotation marks.
    let text: String
    let line: Int
    /// Whether white space or a comment stands before it.
    let follows: Bool
}

/// A source file, with its code and its comments apart, so that no rule mistakes one for the other.
struct SourceFile {
    let path: String
    let lines: [String]
    let tokens: [SourceToken]
    /// The comment on each line that has one, without its slashes.
    let comments: [Int: String]

    /// Reads a file.
    init(path: String, bytes: [UInt8]) {
        self.path = path
        lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        var scanner = SourceScanner(bytes, isSwift: path.hasSuffix(".swift"))
        scanner.run()
        tokens = scanner.tokens
        comments = scanner.comments
    }

    /// Reads a text, for tests of the rules themselves.
    init(path: String = "Sources/SkeinCore/Sample.swift", _ text: String) {
        self.init(path: path, bytes: Array(text.utf8))
    }

    var isSwift: Bool { path.hasSuffix(".swift") }

    /// The target that the file belongs to.
    var room: String {
        let parts = path.split(separator: "/")
        return parts.count > 2 ? String(parts[1]) : ""
    }

    /// The file's name without folders and ending.
    var name: String {
        let last = path.split(separator: "/").last ?? ""
        return String(last.split(separator: ".").first ?? "")
    }

    /// The comment with which the file begins, joined to one line.
    var firstComment: String {
        var words: [String] = []
        var line = 1
        while let comment = comments[line], lines[line - 1].hasPrefix("/") {
            words.append(comment)
            line += 1
        }
        return words.joined(separator: " ")
    }

    /// A finding on one line.
    func finding(_ line: Int, _ rule: String) -> Finding {
        Finding(path: path, line: line, rule: rule)
    }

    /// The token at an index, if there is one.
    func token(_ index: Int) -> SourceToken? {
        tokens.indices.contains(index) ? tokens[index] : nil
    }

    /// The index of the mark that closes the one at `open`, or of the last token.
    func closing(_ open: Int) -> Int {
        let pairs = ["(": ")", "[": "]", "{": "}", "<": ">"]
        let opening = tokens[open].text
        guard let closing = pairs[opening] else { return open }
        var depth = 0
        for index in open..<tokens.count where tokens[index].kind == .mark {
            // The head of an arrow closes nothing.
            if opening == "<", tokens[index].text == ">", token(index - 1)?.text == "-" { continue }
            if tokens[index].text == opening { depth += 1 }
            if tokens[index].text == closing { depth -= 1 }
            if depth == 0 { return index }
        }
        return tokens.count - 1
    }

    /// The index of the next token with this text, at or after `start`.
    func next(_ text: String, from start: Int) -> Int? {
        tokens[min(start, tokens.count)...].firstIndex { $0.text == text && $0.kind != .text }
    }
}
