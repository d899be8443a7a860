/// What a chat format is asked to write besides the messages.
public struct ChatOptions: Equatable, Sendable {
    /// Whether the model is to think first, for formats that leave the choice.
    public var isThinking = false

    /// Whether the prompt ends where the model's answer begins.
    public var addsGenerationPrompt = true

    /// Whether the prompt ends inside the last message, an assistant's, so that the model goes on
    /// with it.
    public var continuesFinalMessage = false

    /// Whether the thinking of all earlier turns is written, not only of those since the last
    /// question, for formats that leave the choice.
    public var keepsReasoning = false

    /// How much the model is to think, for formats that write it; `nil` leaves it to the format.
    public var effort: ReasoningEffort?

    /// An answer without thinking.
    public init() {}

    /// An answer with or without thinking.
    public init(isThinking: Bool) { self.isThinking = isThinking }
}

/// How much a model is to think, in OpenAI's words.
public enum ReasoningEffort: String, CaseIterable, Sendable {
    /// Not at all.
    case none

    /// As little as it can.
    case minimal

    /// Little.
    case low

    /// As usual.
    case medium

    /// Much.
    case high

    /// Very much.
    case xhigh

    /// As much as it can.
    case max
}

/// A conversation written in a chat format, ready to be encoded.
public struct ChatPrompt: Equatable, Sendable {
    /// The parts in order; neighbours have different authors.
    public private(set) var segments: [TextSegment] = []

    /// The format in which it is written.
    public let format: ChatFormat

    /// Calls that the conversation has so far.
    public internal(set) var callCount = 0

    /// Whether the prompt has ended; nothing is added any more.
    private var isClosed = false

    /// An empty prompt.
    init(_ format: ChatFormat) { self.format = format }

    /// The whole text, for logs and tests; encode the `segments`, never this.
    public var text: String { segments.map(\.text).joined() }

    /// Whether the prompt ends inside a `<think>` that it opened, so that the answer begins there.
    ///
    /// Thinking that the client began, and the model is to go on with, may follow the mark.
    public var opensReasoning: Bool {
        guard let text = segments.last(where: \.isTemplate)?.text else { return false }
        let bytes = Array(text.utf8)
        let marks = [ChatMark.think, ChatMark.think + "\n"]
        return marks.contains { bytes.suffix($0.utf8.count).elementsEqual($0.utf8) }
    }

    /// Writes a part of the format itself.
    mutating func write(_ text: String) { append(.template(text)) }

    /// Ends the prompt here.
    mutating func close() { isClosed = true }

    /// Writes what somebody else wrote.
    mutating func quote(_ text: String) { append(.foreign(text)) }

    private mutating func append(_ part: TextSegment) {
        guard !part.text.isEmpty, !isClosed else { return }
        if segments.last?.isTemplate == part.isTemplate {
            segments[segments.count - 1].append(part.text)
        } else {
            segments.append(part)
        }
    }
}

/// The marks that chat formats are made of; the bars and low lines of DeepSeek's are not ASCII.
enum ChatMark {
    static let begin = "<｜begin▁of▁sentence｜>"
    static let end = "<｜end▁of▁sentence｜>"
    static let user = "<｜User｜>"
    static let assistant = "<｜Assistant｜>"
    static let think = "<think>"
    static let thinkEnd = "</think>"
    static let callsBegin = "<｜tool▁calls▁begin｜>"
    static let callsEnd = "<｜tool▁calls▁end｜>"
    static let callBegin = "<｜tool▁call▁begin｜>"
    static let callEnd = "<｜tool▁call▁end｜>"
    static let separator = "<｜tool▁sep｜>"
    static let outputsBegin = "<｜tool▁outputs▁begin｜>"
    static let outputsEnd = "<｜tool▁outputs▁end｜>"
    static let outputBegin = "<｜tool▁output▁begin｜>"
    static let outputEnd = "<｜tool▁output▁end｜>"
    static let dsml = "｜DSML｜"
}

extension String {
    /// The text after the first place where a mark stands; `nil` if it stands nowhere.
    func after(first mark: String) -> String? {
        let (text, mark) = (Array(utf8), Array(mark.utf8))
        guard let place = text.firstPlace(of: mark) else { return nil }
        return String(decoding: text[(place + mark.count)...], as: UTF8.self)
    }

    /// The text after the last place where a mark stands; `nil` if it stands nowhere.
    func after(last mark: String) -> String? {
        var rest = after(first: mark)
        while let next = rest?.after(first: mark) { rest = next }
        return rest
    }

    /// The text before the first place where a mark stands; `nil` if it stands nowhere.
    func before(first mark: String) -> String? {
        let text = Array(utf8)
        guard let place = text.firstPlace(of: Array(mark.utf8)) else { return nil }
        return String(decoding: text[..<place], as: UTF8.self)
    }

    /// The text without white space at both ends, as Python's `strip()` leaves it.
    var stripped: String {
        let text = strippedAtStart.unicodeScalars
        guard let last = text.lastIndex(where: { !$0.isPythonSpace }) else { return "" }
        return String(text[...last])
    }

    /// The text without white space at its start, as Python's `lstrip()` leaves it.
    var strippedAtStart: String {
        String(unicodeScalars.drop { $0.isPythonSpace })
    }
}

extension Unicode.Scalar {
    /// Whether Python takes the character for white space.
    fileprivate var isPythonSpace: Bool {
        properties.isWhitespace || (0x1C...0x1F).contains(value)
    }
}

extension [UInt8] {
    /// Where a sequence of bytes first stands, from a position on.
    func firstPlace(of other: [UInt8], from start: Int = 0) -> Int? {
        guard let head = other.first, count >= other.count else { return nil }
        var place = start
        while place + other.count <= count {
            if self[place] == head, self[place..<(place + other.count)].elementsEqual(other) {
                return place
            }
            place += 1
        }
        return nil
    }
}
