import Foundation
public import SkeinCore

/// Turns text into tokens and tokens into text: byte-level BPE as a `tokenizer.json` describes it,
/// or a `tekken.json` or a `tiktoken.model`.
///
/// ```
///  text ──► added tokens cut out ──► pieces ──► bytes ──► pairs merged ──► tokens
///           AddedTokens              PieceSplitter        BytePairMerges
/// ```
///
/// Added tokens are the model's control marks (`<｜User｜>`). They are matched only where the caller
/// allows it, so that a mark in a user's text stays the plain characters it is made of.
public struct Tokenizer: Sendable {
    private let vocabulary: Vocabulary
    private let added: AddedTokens
    private let splitter: PieceSplitter
    private let merges: BytePairMerges
    private let composesText: Bool

    /// Tokens by their bytes, where a piece that is a token as it stands is not taken apart.
    private let wholeTokens: ByteStringTable?

    /// Reads a `tokenizer.json`.
    public init(tokenizerFile path: String) throws(Refusal) {
        let bytes = try SmallFile.read(path, bytesMax: Limits.tokenizerFileBytesMax)
        try self.init(parsing: bytes, file: path)
    }

    /// Reads the bytes of a `tokenizer.json`.
    ///
    /// - Parameter file: How refusals name it.
    public init(parsing bytes: [UInt8], file: String) throws(Refusal) {
        let file = try TokenizerFile(parsing: bytes, file: file)
        self.init(
            TokenizerParts(
                vocabulary: file.vocabulary, added: AddedTokens(file.added),
                splitter: try file.splitter(), merges: try file.merges(),
                composesText: try file.composesText(),
                wholeTokens: try file.keepsWholeTokens() ? file.wholeTokens() : nil))
    }

    init(_ parts: TokenizerParts) {
        vocabulary = parts.vocabulary
        added = parts.added
        splitter = parts.splitter
        merges = parts.merges
        composesText = parts.composesText
        wholeTokens = parts.wholeTokens
    }

    /// One more than the highest token number; the model's own vocabulary may be padded beyond it.
    public var vocabularyCount: Int { vocabulary.count }

    /// The added token with exactly this content, for example `<think>`.
    public func addedToken(_ content: String) -> TokenID? { added.token(content) }

    /// Whether the tokenizer has this token; a model's padded rows have none.
    public func contains(_ token: TokenID) -> Bool { !vocabulary.mark(of: token).isEmpty }

    /// Whether a token is control, left out of text when special tokens are skipped.
    public func isSpecial(_ token: TokenID) -> Bool {
        vocabulary.mark(of: token).contains(.special)
    }

    /// Whether a token is matched in a text before it is cut into pieces: a control mark, or one
    /// that was added later.
    public func isAdded(_ token: TokenID) -> Bool {
        vocabulary.mark(of: token).contains(.added)
    }

    /// The bytes of one token, which need not be whole characters; none for an unknown number.
    public func bytes(of token: TokenID) -> [UInt8] { Array(vocabulary.bytes(of: token)) }
}

extension Tokenizer {
    /// The tokens of a text; no begin token is put in front.
    ///
    /// - Parameter matchingAddedTokens: Whether control marks in the text become control tokens.
    ///   Say `false` for whatever a user wrote.
    public func encode(_ text: String, matchingAddedTokens: Bool) -> [TokenID] {
        encode([matchingAddedTokens ? .template(text) : .foreign(text)])
    }

    /// The tokens of a text made of the template's parts and of others'.
    ///
    /// Control marks are matched inside the template's parts alone; between two marks the parts are
    /// one text, as they are for the reference, so that pieces may reach over their borders.
    public func encode(_ segments: [TextSegment]) -> [TokenID] {
        var bytes: [UInt8] = []
        var places: [Range<Int>] = []
        for segment in segments {
            let start = bytes.count
            bytes += (composesText ? composed(segment.text) : segment.text).utf8
            guard segment.isTemplate else { continue }
            if let last = places.last, last.upperBound == start {
                places[places.count - 1] = last.lowerBound..<bytes.count
            } else {
                places.append(start..<bytes.count)
            }
        }
        var tokens: [TokenID] = []
        var workspace = BytePairMerges.Workspace()
        var start = 0
        for match in added.matches(in: bytes, places: places) {
            encode(bytes, start..<match.range.lowerBound, into: &tokens, workspace: &workspace)
            tokens.append(match.token)
            start = match.range.upperBound
        }
        encode(bytes, start..<bytes.count, into: &tokens, workspace: &workspace)
        return tokens
    }

    private func composed(_ text: String) -> String {
        // Below U+0300 every text is composed already.
        let isPlain = text.unicodeScalars.allSatisfy { $0.value < 0x300 }
        return isPlain ? text : text.precomposedStringWithCanonicalMapping
    }

    private func encode(
        _ bytes: [UInt8], _ range: Range<Int>, into tokens: inout [TokenID],
        workspace: inout BytePairMerges.Workspace
    ) {
        guard !range.isEmpty else { return }
        let text = ScalarText(bytes, in: range)
        for piece in splitter.pieces(of: text) {
            let piece = bytes[text.byteRange(of: piece)]
            if let wholeTokens, piece.count <= wholeTokens.longest,
                let whole = wholeTokens.number(of: piece)
            {
                tokens.append(TokenID(rawValue: whole))
            } else {
                merges.encode(piece, into: &tokens, workspace: &workspace)
            }
        }
    }
}

extension Tokenizer {
    /// The text of tokens; bytes that are not UTF-8 become U+FFFD, one for each broken sequence.
    ///
    /// A number that has no token (a padded row of the model's vocabulary) gives no text.
    public func decode(_ tokens: [TokenID], skippingSpecialTokens: Bool) -> String {
        var bytes: [UInt8] = []
        for token in tokens {
            append(token, skippingSpecialTokens: skippingSpecialTokens, to: &bytes)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func append(_ token: TokenID, skippingSpecialTokens: Bool, to bytes: inout [UInt8]) {
        if skippingSpecialTokens, isSpecial(token) { return }
        bytes += vocabulary.bytes(of: token)
    }
}
