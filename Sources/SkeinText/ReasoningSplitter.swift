/// Parts the model's thinking from its answer while the text arrives.
///
/// A prompt that ended in `<think>` is answered from inside the thinking: then only `</think>` will
/// come, and waiting for `<think>` would take the thinking for the answer.
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

        case reasoning
        case content
    }

    private var state: State
    private var buffer = MarkBuffer()

    /// - Parameter startsInside: `ChatPrompt.opensReasoning` of the prompt.
    public init(startsInside: Bool) { state = startsInside ? .reasoning : .start }

    /// Whether what comes now would be thinking.
    public var isInside: Bool { state == .reasoning }

    /// Takes the next piece of the model's text.
    public mutating func push(_ text: String) -> [Piece] {
        buffer.append(text)
        return pieces(isEnd: false)
    }

    /// What was held back; the text ends here.
    public mutating func finish() -> [Piece] { pieces(isEnd: true) }

    private mutating func pieces(isEnd: Bool) -> [Piece] {
        var pieces: [Piece] = []
        if state == .start {
            switch buffer.opening(ChatMark.think, isEnd: isEnd) {
            case .undecided: return []
            case .found: state = .reasoning
            case .absent: state = .content
            }
        }
        if state == .reasoning {
            let (text, mark) = buffer.take(before: [ChatMark.thinkEnd], isEnd: isEnd)
            if !text.isEmpty { pieces.append(.reasoning(text)) }
            if mark != nil { state = .content }
        }
        if state == .content {
            let text = buffer.takeAll()
            if !text.isEmpty { pieces.append(.content(text)) }
        }
        return pieces
    }
}

/// Text that waits until it is clear whether a mark begins in it.
struct MarkBuffer: Sendable {
    /// Whether the text begins with a mark, white space before it aside.
    enum Opening {
        case found, absent, undecided
    }

    private var bytes: [UInt8] = []

    var isEmpty: Bool { bytes.isEmpty }

    mutating func append(_ text: String) { bytes += text.utf8 }

    mutating func takeAll() -> String {
        defer { bytes = [] }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Takes the text before the first of several marks, and the mark itself if it is there.
    ///
    /// Without a mark, what could be the beginning of one stays. Of two marks at one place the one
    /// given first counts.
    mutating func take(before marks: [String], isEnd: Bool) -> (text: String, mark: Int?) {
        let marks = marks.map { Array($0.utf8) }
        for place in bytes.indices {
            var mayBegin = false
            for (index, mark) in marks.enumerated() where bytes[place] == mark[0] {
                let rest = bytes[place...]
                if rest.starts(with: mark) {
                    let text = String(decoding: bytes[..<place], as: UTF8.self)
                    bytes.removeFirst(place + mark.count)
                    return (text, index)
                }
                if rest.count < mark.count, mark.starts(with: rest) { mayBegin = true }
            }
            if mayBegin, !isEnd {
                let text = String(decoding: bytes[..<place], as: UTF8.self)
                bytes.removeFirst(place)
                return (text, nil)
            }
        }
        return (takeAll(), nil)
    }

    /// Takes a mark off the front, with the white space before it, if it is there.
    mutating func opening(_ mark: String, isEnd: Bool) -> Opening {
        let mark = Array(mark.utf8)
        let rest = bytes.drop { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
        if rest.starts(with: mark) {
            bytes = Array(rest.dropFirst(mark.count))
            return .found
        }
        return !isEnd && mark.starts(with: rest) ? .undecided : .absent
    }
}
