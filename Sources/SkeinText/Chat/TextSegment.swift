/// A part of a prompt, marked with who wrote it.
public enum TextSegment: Equatable, Sendable {
    /// Written by the chat format: control marks in it become control tokens.
    case template(String)

    /// Written by anyone else: every character of it stays text.
    case foreign(String)

    /// The characters.
    public var text: String {
        switch self {
        case .template(let text), .foreign(let text): text
        }
    }

    /// Whether control marks count here.
    public var isTemplate: Bool {
        if case .template = self { true } else { false }
    }

    /// Makes the part longer in place: a conversation of many short messages is written in time
    /// that grows with its length, and not with its square.
    mutating func append(_ more: String) {
        // While `self` holds the text too, growing it would copy it.
        switch self {
        case .template(var text):
            self = .template("")
            text += more
            self = .template(text)
        case .foreign(var text):
            self = .foreign("")
            text += more
            self = .foreign(text)
        }
    }
}
