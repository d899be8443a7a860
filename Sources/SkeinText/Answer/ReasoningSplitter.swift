/// Parts the model's thinking from its answer while the text arrives.
///
/// A prompt that ended in `<think>` is answered from inside the thinking: then only `</think>` will
/// come, and waiting for `<think>` would take the thinking for the answer. A second `<think>` at
/// the beginning of the thinking is a mark too, and no part of it.
///
/// Marks that are spelt out later than that are text, for an answer may speak of them; marks that
/// came as tokens of their own always switch between thinking and answer.
public struct ReasoningSplitter: Sendable {
    /// A piece of text and which of the two it belongs to.
    public enum Piece: Equatable, Sendable {
        /// Thought.
        case reasoning(String)

        /// Answered.
        case content(String)
    }

    private enum State {
        /// Nothing but white space came yet; `<think>` may follow.
        case start

        /// In the thinking, of which nothing but white space came yet.
        case opened

        case reasoning
        case content
    }

    private static let open = Array(ChatMark.think.utf8)
    private static let close = Array(ChatMark.thinkEnd.utf8)

    private var state: State
    private var buffer = MarkBuffer()

    /// - Parameter startsInside: `ChatPrompt.opensReasoning` of the prompt.
    public init(startsInside: Bool) { state = startsInside ? .opened : .start }

    /// Whether what comes now would be thinking.
    public var isInside: Bool { state == .reasoning || state == .opened }

    /// Takes the next piece of the model's text.
    public mutating func push(_ text: String) -> [Piece] {
        buffer.append(text)
        return pieces(isEnd: false)
    }

    /// Takes `<think>` or `</think>` that came as a token of its own; returns what was held back.
    mutating func pushMark(_ mark: String) -> [Piece] {
        let isEarly = state == .start || state == .opened
        if isEarly, mark == ChatMark.think { return push(mark) }
        let held = pieces(isEnd: true)
        state = mark == ChatMark.think ? .opened : .content
        return held
    }

    /// Settles that no `<think>` opens the answer, since something else came; returns what was held
    /// back.
    mutating func endOpening() -> [Piece] { state == .start ? pieces(isEnd: true) : [] }

    /// What was held back; the text ends here.
    public mutating func finish() -> [Piece] { pieces(isEnd: true) }

    private mutating func pieces(isEnd: Bool) -> [Piece] {
        var pieces: [Piece] = []
        while state == .start || state == .opened {
            switch buffer.opening(Self.open, isEnd: isEnd) {
            case .undecided: return []
            case .found: state = .opened
            case .absent: state = state == .opened ? .reasoning : .content
            }
        }
        if state == .reasoning {
            let (text, mark) = buffer.take(before: [Self.close], isEnd: isEnd)
            if !text.isEmpty { pieces.append(.reasoning(text)) }
            if mark != nil { state = .content }
        }
        if state == .content {
            let text = buffer.take(before: [], isEnd: isEnd).text
            if !text.isEmpty { pieces.append(.content(text)) }
        }
        return pieces
    }
}
