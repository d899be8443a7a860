/// Takes Swift or C apart into tokens and comments.
///
/// It knows nested comments, texts with hash marks and several lines, and code inside a text's
/// `\( )`. It does not know grammar: the rules look at neighbouring tokens.
struct SourceScanner {
    private(set) var tokens: [SourceToken] = []
    private(set) var comments: [Int: String] = [:]

    private let bytes: [UInt8]
    private let isSwift: Bool
    private var place = 0
    private var line = 1
    private var sawSpace = false

    init(_ bytes: [UInt8], isSwift: Bool) {
        self.bytes = bytes
        self.isSwift = isSwift
    }

    /// Scans the whole file.
    mutating func run() {
        while place < bytes.count { scanCode(untilParenthesis: false) }
    }

    // MARK: Code

    /// Scans code to the end of the file, or to the parenthesis that ends an interpolation.
    private mutating func scanCode(untilParenthesis: Bool) {
        var depth = 0
        while place < bytes.count {
            let byte = bytes[place]
            if byte == UInt8(ascii: "/"), at(1) == UInt8(ascii: "/") {
                scanLineComment()
            } else if byte == UInt8(ascii: "/"), at(1) == UInt8(ascii: "*") {
                scanBlockComment()
            } else if startsText() {
                scanText()
            } else if Self.isWordByte(byte) {
                scanWord()
            } else if byte <= 0x20 {
                skipSpace()
            } else {
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") { depth -= 1 }
                append(.mark, String(UnicodeScalar(byte)))
                place += 1
                if untilParenthesis, depth < 0 { return }
            }
        }
    }

    private func at(_ offset: Int) -> UInt8 {
        place + offset < bytes.count ? bytes[place + offset] : 0
    }

    private mutating func append(_ kind: SourceToken.Kind, _ text: String, line: Int? = nil) {
        tokens.append(
            SourceToken(kind: kind, text: text, line: line ?? self.line, follows: sawSpace))
        sawSpace = false
    }

    private mutating func skipSpace() {
        if bytes[place] == 0x0A { line += 1 }
        sawSpace = true
        place += 1
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x80...: true
        default: false
        }
    }

    private mutating func scanWord() {
        let start = place
        while place < bytes.count, Self.isWordByte(bytes[place]) { place += 1 }
        let isNumber = (0x30...0x39).contains(bytes[start])
        append(isNumber ? .number : .word, String(decoding: bytes[start..<place], as: UTF8.self))
    }

    // MARK: Comments

    private mutating func scanLineComment() {
        let start = place
        while place < bytes.count, bytes[place] != 0x0A { place += 1 }
        addComment(start..<place)
    }

    private mutating func scanBlockComment() {
        var depth = 0
        var start = place
        repeat {
            if at(0) == UInt8(ascii: "/"), at(1) == UInt8(ascii: "*") {
                depth += isSwift || depth == 0 ? 1 : 0
                place += 2
            } else if at(0) == UInt8(ascii: "*"), at(1) == UInt8(ascii: "/") {
                depth -= 1
                place += 2
            } else {
                if bytes[place] == 0x0A {
                    addComment(start..<place)
                    line += 1
                    start = place + 1
                }
                place += 1
            }
        } while depth > 0 && place < bytes.count
        addComment(start..<place)
    }

    private mutating func addComment(_ range: Range<Int>) {
        let text = String(decoding: bytes[range], as: UTF8.self)
        let words = text.drop { "/* ".contains($0) }
        comments[line] = comments[line].map { "\($0) \(words)" } ?? String(words)
        sawSpace = true
    }

    // MARK: Texts

    private func startsText() -> Bool {
        if !isSwift { return at(0) == UInt8(ascii: "\"") || at(0) == UInt8(ascii: "'") }
        var offset = 0
        while at(offset) == UInt8(ascii: "#") { offset += 1 }
        return at(offset) == UInt8(ascii: "\"")
    }

    private mutating func scanText() {
        let firstLine = line
        var hashCount = 0
        while isSwift, at(hashCount) == UInt8(ascii: "#") { hashCount += 1 }
        place += hashCount
        let quote = bytes[place]
        let isLong = isSwift && at(1) == quote && at(2) == quote
        let quoteCount = isLong ? 3 : 1
        place += quoteCount
        let index = tokens.count
        append(.text, "", line: firstLine)
        var content: [UInt8] = []
        while place < bytes.count {
            if closes(quote, quoteCount, hashCount) {
                place += quoteCount + hashCount
                break
            }
            if bytes[place] == 0x0A, !isLong { break }
            scanTextByte(hashCount, &content)
        }
        let opening = tokens[index]
        tokens[index] = SourceToken(
            kind: .text, text: String(decoding: content, as: UTF8.self), line: opening.line,
            follows: opening.follows)
        sawSpace = false
    }

    private func closes(_ quote: UInt8, _ quoteCount: Int, _ hashCount: Int) -> Bool {
        (0..<quoteCount).allSatisfy { at($0) == quote }
            && (0..<hashCount).allSatisfy { at(quoteCount + $0) == UInt8(ascii: "#") }
    }

    private mutating func scanTextByte(_ hashCount: Int, _ content: inout [UInt8]) {
        let isEscape =
            bytes[place] == UInt8(ascii: "\\")
            && (0..<hashCount).allSatisfy { at(1 + $0) == UInt8(ascii: "#") }
        if isEscape, isSwift, at(1 + hashCount) == UInt8(ascii: "(") {
            place += 2 + hashCount
            scanCode(untilParenthesis: true)
            return
        }
        let count = isEscape ? 2 + hashCount : 1
        for _ in 0..<count where place < bytes.count {
            if bytes[place] == 0x0A { line += 1 }
            content.append(bytes[place])
            place += 1
        }
    }
}
