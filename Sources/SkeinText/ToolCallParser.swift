import SkeinCore

/// Finds tool calls in the model's text while it arrives.
///
/// Feed it text decoded *with* special tokens, since many tokenizers count the marks of calls among
/// those; the token that ends the answer must be left out. The pieces put together do not depend
/// on how the text was cut.
public struct ToolCallParser: Sendable {
    private let format: ChatFormat
    private let form: ToolCallForm
    private let tools: [ChatTool]
    private var state = ToolCallForm.State.content
    private var buffer = MarkBuffer()
    private var gathered = ""
    private var calledName = ""
    private var parameterName = ""
    private var parameterCount = 0
    private var gate = FenceGate()

    /// How many calls have begun.
    public private(set) var callCount = 0

    /// - Parameters:
    ///   - format: The chat format of the prompt; some have no tool calls.
    ///   - tools: What was offered, for formats whose arguments carry no type.
    public init(_ format: ChatFormat, tools: [ChatTool] = []) {
        self.format = format
        form = ToolCallForm(format)
        self.tools = tools
    }

    /// Whether the text has stopped inside a call, which then is not whole.
    public var isInsideCall: Bool { state != .content && state != .between }

    /// Takes the next piece of the model's text.
    public mutating func push(_ text: String) -> [AnswerPiece] {
        buffer.append(text)
        return run(isEnd: false)
    }

    /// What was held back; the text ends here.
    public mutating func finish() -> [AnswerPiece] { run(isEnd: true) }

    private mutating func run(isEnd: Bool) -> [AnswerPiece] {
        var pieces: [AnswerPiece] = []
        while true {
            let steps = form.steps(in: state)
            let (text, mark) = buffer.take(before: steps.map(\.mark), isEnd: isEnd)
            if !text.isEmpty { absorb(text, into: &pieces) }
            guard let mark else { return pieces }
            for action in steps[mark].actions { perform(action, into: &pieces) }
            state = steps[mark].next
            if [.type, .name, .parameterName, .untypedValue].contains(state) { gathered = "" }
        }
    }

    /// Uses text that stands between marks.
    private mutating func absorb(_ text: String, into pieces: inout [AnswerPiece]) {
        switch state {
        case .content: pieces.append(.content(text))
        case .between, .parameters, .beforeValue: break
        case .type, .name, .parameterName, .untypedValue: gathered += text
        case .arguments: say(form.isFenced ? gate.pass(text) : text, into: &pieces)
        case .jsonValue: say(text, into: &pieces)
        case .stringValue:
            var escaped = ""
            JSONValue.writeEscaped(text, to: &escaped)
            say(escaped, into: &pieces)
        }
    }

    private mutating func perform(
        _ action: ToolCallForm.Action, into pieces: inout [AnswerPiece]
    ) {
        switch action {
        case .begin:
            calledName = functionName()
            pieces.append(.callBegin(index: callCount, name: calledName))
            callCount += 1
            parameterCount = 0
            gate = FenceGate()
        case .end: pieces.append(.callEnd(index: callCount - 1))
        case .openObject: say("{", into: &pieces)
        case .closeObject: say("}", into: &pieces)
        case .openValue:
            parameterName = gathered
            say(opening(), into: &pieces)
        case .openString, .closeString: say("\"", into: &pieces)
        case .keepName: parameterName = gathered
        case .typedValue: say(opening() + typedValue(gathered), into: &pieces)
        }
    }

    /// Adds to the arguments of the call at hand.
    private func say(_ text: String, into pieces: inout [AnswerPiece]) {
        guard !text.isEmpty else { return }
        if case .callArguments(let index, let last) = pieces.last, index == callCount - 1 {
            pieces[pieces.count - 1] = .callArguments(index: index, text: last + text)
        } else {
            pieces.append(.callArguments(index: callCount - 1, text: text))
        }
    }

    /// The function's name; Kimi writes `functions.NAME:NUMBER`.
    private func functionName() -> String {
        var name = gathered.stripped
        guard format == .kimiK2 else { return name }
        if name.hasPrefix("functions.") { name.removeFirst("functions.".count) }
        if let colon = name.lastIndex(of: ":") { name = String(name[..<colon]) }
        return name
    }

    /// What stands before a parameter's value.
    private mutating func opening() -> String {
        defer { parameterCount += 1 }
        var text = parameterCount > 0 ? ", " : ""
        JSONValue.writeQuoted(parameterName, to: &text)
        return text + ": "
    }

    /// A value without a type: text if the tool wants a string or if it is no JSON.
    private func typedValue(_ text: String) -> String {
        let parameters = tools.first { $0.name == calledName }?.parameters
        let type = parameters?["properties"]?[parameterName]?["type"]?.string
        if type != "string", Self.isJSON(text) { return text }
        return JSONValue.string(text).pythonText
    }

    private static func isJSON(_ text: String) -> Bool {
        do {
            _ = try JSONValue(parsing: text, subject: "argument", rules: .lenient)
            return true
        } catch {
            return false
        }
    }
}
