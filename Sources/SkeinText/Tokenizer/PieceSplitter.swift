import SkeinCore

/// Cuts text into the pieces inside which byte pairs are merged, stage after stage.
///
/// Each stage sees every piece of the stage before it alone, as if nothing stood around it. What a
/// stage matches becomes a piece, and so does what stays between two matches.
struct PieceSplitter: Sendable {
    /// One stage of a `pre_tokenizer`.
    enum Stage: Sendable {
        /// `\p{N}{1,3}`, run by hand.
        case digitTriples

        /// Runs of Chinese characters and kana as DeepSeek-V3 draws their borders, run by hand.
        case ideographs

        /// The main pattern of DeepSeek-V3, run by hand.
        case words

        /// Each number character alone.
        case digits

        /// Number characters in runs.
        case digitRuns

        /// Any other pattern.
        case pattern(TextPattern)
    }

    let stages: [Stage]

    /// The stage of a `Split`; the three patterns of DeepSeek-V3 are known by their spelling.
    ///
    /// - Parameter isRunByHand: Whether those three may be run by hand; tests say no.
    static func stage(
        pattern: String, subject: String, isRunByHand: Bool = true
    ) throws(Refusal) -> Stage {
        if isRunByHand, let stage = writtenByHand[Array(pattern.utf8)] { return stage }
        return .pattern(try TextPattern(pattern, subject: subject))
    }

    /// `\p{N}{1,3}` of DeepSeek-V3.
    static let digitTriplesPattern = #"\p{N}{1,3}"#

    /// The Chinese and Japanese runs of DeepSeek-V3.
    static let ideographsPattern = "[\u{4E00}-\u{9FA5}\u{3040}-\u{309F}\u{30A0}-\u{30FF}]+"

    /// The main pattern of DeepSeek-V3; its line breaks stand for themselves.
    static let wordsPattern =
        ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"##
        + "|[^\r\n" + #"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+["# + "\r\n]*"
        + #"|\s*["# + "\r\n" + #"]+|\s+(?!\S)|\s+"#

    /// The pattern of GPT-2, which `ByteLevel` runs when `use_regex` is true.
    static let byteLevelPattern =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    private static let writtenByHand: [[UInt8]: Stage] = [
        Array(digitTriplesPattern.utf8): .digitTriples,
        Array(ideographsPattern.utf8): .ideographs,
        Array(wordsPattern.utf8): .words,
    ]

    /// The pieces of a text, as ranges of its scalars, in order and without gaps.
    func pieces(of text: ScalarText) -> [Range<Int>] {
        guard text.count > 0 else { return [] }
        var pieces = [0..<text.count]
        for stage in stages {
            var finer: [Range<Int>] = []
            finer.reserveCapacity(pieces.count + pieces.count / 2)
            for piece in pieces { split(piece, of: text, by: stage, into: &finer) }
            pieces = finer
        }
        return pieces
    }

    private func split(
        _ piece: Range<Int>, of text: ScalarText, by stage: Stage, into pieces: inout [Range<Int>]
    ) {
        switch stage {
        case .digitTriples: WordScanner.splitNumbers(piece, of: text, most: 3, into: &pieces)
        case .digits: WordScanner.splitNumbers(piece, of: text, most: 1, into: &pieces)
        case .digitRuns: WordScanner.splitNumbers(piece, of: text, most: .max, into: &pieces)
        case .ideographs: WordScanner.splitIdeographs(piece, of: text, into: &pieces)
        case .words: WordScanner.splitWords(piece, of: text, into: &pieces)
        case .pattern(let pattern): pattern.split(piece, of: text, into: &pieces)
        }
    }
}

extension TextPattern {
    /// Cuts a piece at the matches of this pattern.
    func split(_ piece: Range<Int>, of text: ScalarText, into pieces: inout [Range<Int>]) {
        var retreats: [Retreat] = []
        var rest = piece.lowerBound
        var position = rest
        while position < piece.upperBound {
            let end = match(text, at: position, within: piece, retreats: &retreats)
            if let end, end > position {
                if rest < position { pieces.append(rest..<position) }
                pieces.append(position..<end)
                rest = end
                position = end
                continue
            }
            position += 1
            guard let leadingRun, contains(leadingRun, text, position - 1) else { continue }
            while position < piece.upperBound, contains(leadingRun, text, position) {
                position += 1
            }
        }
        if rest < piece.upperBound { pieces.append(rest..<piece.upperBound) }
    }
}
