/// The splits of DeepSeek-V3, written out by hand because every prompt passes through them.
///
/// Their slow twin is `TextPattern` running the patterns themselves.
enum WordScanner {
    /// Cuts out number characters, at most `most` at a time, from the left.
    static func splitNumbers(
        _ piece: Range<Int>, of text: ScalarText, most: Int, into pieces: inout [Range<Int>]
    ) {
        var rest = piece.lowerBound
        var position = rest
        while position < piece.upperBound {
            guard !text.classes[position].isDisjoint(with: .number) else {
                position += 1
                continue
            }
            if rest < position { pieces.append(rest..<position) }
            let limit = most < piece.upperBound - position ? position + most : piece.upperBound
            rest = position
            while position < limit, !text.classes[position].isDisjoint(with: .number) {
                position += 1
            }
            pieces.append(rest..<position)
            rest = position
        }
        if rest < piece.upperBound { pieces.append(rest..<piece.upperBound) }
    }

    /// Cuts out runs of U+4E00…9FA5 and U+3040…30FF.
    static func splitIdeographs(
        _ piece: Range<Int>, of text: ScalarText, into pieces: inout [Range<Int>]
    ) {
        var start = piece.lowerBound
        while start < piece.upperBound {
            let isInside = isIdeograph(text.values[start])
            var end = start + 1
            while end < piece.upperBound, isIdeograph(text.values[end]) == isInside { end += 1 }
            pieces.append(start..<end)
            start = end
        }
    }

    private static func isIdeograph(_ value: UInt32) -> Bool {
        (0x4E00...0x9FA5).contains(value) || (0x3040...0x30FF).contains(value)
    }

    /// Cuts at the matches of the main pattern.
    static func splitWords(
        _ piece: Range<Int>, of text: ScalarText, into pieces: inout [Range<Int>]
    ) {
        var rest = piece.lowerBound
        var position = rest
        while position < piece.upperBound {
            let end = wordEnd(text, from: position, before: piece.upperBound)
            guard end > position else {
                position += 1
                continue
            }
            if rest < position { pieces.append(rest..<position) }
            pieces.append(position..<end)
            rest = end
            position = end
        }
        if rest < piece.upperBound { pieces.append(rest..<piece.upperBound) }
    }

    /// The end of the match that begins at `start`, or `start` if there is none.
    private static func wordEnd(_ text: ScalarText, from start: Int, before limit: Int) -> Int {
        let first = text.values[start]
        let firstClass = text.classes[start]
        let hasNext = start + 1 < limit

        // [!"#$…][A-Za-z]+
        if hasNext, isASCIIPunctuation(first), isASCIILetter(text.values[start + 1]) {
            var end = start + 2
            while end < limit, isASCIILetter(text.values[end]) { end += 1 }
            return end
        }

        // [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
        let isPrefix = !isLineBreak(first) && firstClass.isDisjoint(with: neverPrefix)
        if isPrefix, hasNext, !text.classes[start + 1].isDisjoint(with: wordParts) {
            return run(of: wordParts, text, from: start + 2, before: limit)
        }
        if !firstClass.isDisjoint(with: wordParts) {
            return run(of: wordParts, text, from: start + 1, before: limit)
        }

        // ` ?[\p{P}\p{S}]+[\r\n]*`
        let isSpaced = first == 0x20 && hasNext && isMark(text.classes[start + 1])
        if isSpaced || isMark(firstClass) {
            var end = run(of: marks, text, from: start + 1, before: limit)
            while end < limit, isLineBreak(text.values[end]) { end += 1 }
            return end
        }
        return spaceEnd(text, from: start, before: limit)
    }

    /// The end of white space: the last three alternatives, `\s*[\r\n]+|\s+(?!\S)|\s+`.
    private static func spaceEnd(_ text: ScalarText, from start: Int, before limit: Int) -> Int {
        let end = run(of: .whitespace, text, from: start, before: limit)
        var last = end
        while last > start, !isLineBreak(text.values[last - 1]) { last -= 1 }
        if last > start { return last }
        // Of several spaces before a word, the last one belongs to the word.
        return end < limit && end - start > 1 ? end - 1 : end
    }

    private static func run(
        of parts: ScalarClass, _ text: ScalarText, from start: Int, before limit: Int
    ) -> Int {
        var end = start
        while end < limit, !text.classes[end].isDisjoint(with: parts) { end += 1 }
        return end
    }

    private static let wordParts: ScalarClass = [.letter, .mark]
    private static let marks: ScalarClass = [.punctuation, .symbol]
    private static let neverPrefix: ScalarClass = [.letter, .punctuation, .symbol]

    private static func isMark(_ found: ScalarClass) -> Bool { !found.isDisjoint(with: marks) }

    private static func isLineBreak(_ value: UInt32) -> Bool { value == 0x0A || value == 0x0D }

    private static func isASCIILetter(_ value: UInt32) -> Bool {
        (0x61...0x7A).contains(value | 0x20)
    }

    /// The punctuation of the first alternative: all of ASCII's.
    private static func isASCIIPunctuation(_ value: UInt32) -> Bool {
        (0x21...0x2F).contains(value) || (0x3A...0x40).contains(value)
            || (0x5B...0x60).contains(value) || (0x7B...0x7E).contains(value)
    }
}
