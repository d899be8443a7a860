/// A piece of a model's answer, in the order in which it arrives.
public enum AnswerPiece: Equatable, Sendable {
    /// Thinking.
    case reasoning(String)

    /// Text for the reader.
    case content(String)

    /// The model begins to call a function; calls are counted from 0.
    case callBegin(index: Int, name: String)

    /// More of the call's arguments; the pieces together are a text of JSON.
    case callArguments(index: Int, text: String)

    /// The call is complete.
    case callEnd(index: Int)
}
