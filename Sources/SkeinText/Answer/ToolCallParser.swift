import SkeinCore

/// Finds tool calls in the model's text while it arrives.
///
/// Marks are taken as generously as they can be without guessing: one that is missing or stands
/// twice does no harm. Whatever is no call after all goes back to the reader as content, word for
/// word: nothing that a model wrote is dropped, and nothing that is not understood is called.
///
/// A call of a function that was not offered is passed on, as vLLM does: the client's answer tells
/// the model so, and the model can do better. What has not even the form of a name is content.
///
/// The pieces put together do not depend on how the text was cut.
struct ToolCallParser: Sendable {
    private typealias Mark = ToolCallForm.Mark

    private let form: ToolCallForm
    private let tools: [ChatTool]
    private var state = ToolCallForm.State.content
    private var buffer = MarkBuffer()

    /// What the state at hand collects.
    private var gathered = ""

    /// White space since the last mark, as long as nothing else came.
    private var space: String? = ""

    /// Everything since the last mark after which all was understood, and whether any of it is more
    /// than marks and space.
    private var raw = ""
    private var rawHasText = false

    /// What stands before the separator, and then the name of the function.
    private var name = ""
    private var hasBegun = false
    private var parameterName = ""
    private var parameterCount = 0
    private var isTyped = false
    private var gate = ObjectGate()

    /// The arguments of the call at hand, as far as they have come.
    private var arguments = ""

    /// Whether a fence of backticks is open, whose end is no content.
    private var isFenced = false
    private var pieces: [AnswerPiece] = []

    /// How many calls have begun.
    private(set) var callCount = 0

    /// Whether a call has begun that is not whole: it broke off, or what followed was not
    /// understood.
    private(set) var hasOpenCall = false

    /// - Parameters:
    ///   - form: How the model writes calls.
    ///   - tools: What was offered.
    init(_ form: ToolCallForm, tools: [ChatTool] = []) {
        self.form = form
        self.tools = tools
    }

    /// Takes the next piece of the model's text.
    ///
    /// - Parameter isHidden: Whether it came as control tokens, which no content may show.
    mutating func push(_ text: String, isHidden: Bool = false) -> [AnswerPiece] {
        buffer.append(text, isHidden: isHidden)
        return run(isEnd: false)
    }

    /// What was held back; the text ends here.
    mutating func finish() -> [AnswerPiece] { run(isEnd: true) }

    private mutating func run(isEnd: Bool) -> [AnswerPiece] {
        defer { pieces = [] }
        while true {
            let marks = form.marks(in: state)
            let (text, found) = buffer.take(before: marks.map(\.bytes), isEnd: isEnd)
            if !text.isEmpty { absorb(text) }
            guard let found else { break }
            pass(marks[found.index].mark, found.text)
        }
        if isEnd { breakOff() }
        return pieces
    }
}

// MARK: - Text between marks

extension ToolCallParser {
    private mutating func absorb(_ text: String) {
        switch state {
        case .content, .between: tell(text)
        case .name, .parameterName, .beforeValue, .value:
            gathered += text
            keep(text)
        case .arguments:
            gathered += text
            keep(text)
            openObject()
        case .object:
            let (inside, rest) = gate.pass(text)
            say(inside)
            if gate.isDone { endCall() }
            if !rest.isEmpty { absorb(rest) }
        case .parameters:
            keep(text)
            gathered += text
            // Some models write one JSON object here in place of parameters.
            let rest = gathered.trimmingPrefix(while: \.isWhitespace)
            if parameterCount == 0, rest.first == "{" { openObject(String(rest)) }
        case .text:
            var escaped = ""
            JSONValue.writeEscaped(text, to: &escaped)
            say(escaped)
        }
    }

    /// Gives out text for the reader; white space alone beside calls is nothing.
    private mutating func tell(_ text: String) {
        var text = text
        if isFenced {
            text = String(text.trimmingPrefix { $0.isWhitespace || $0 == "`" })
            guard !text.isEmpty else { return }
            isFenced = false
        }
        guard let held = space else { return add(text) }
        if text.allSatisfy(\.isWhitespace) {
            space = held + text
        } else {
            space = nil
            add(held + text)
        }
    }

    private mutating func add(_ text: String) {
        if case .content(let last) = pieces.last {
            pieces[pieces.count - 1] = .content(last + text)
        } else {
            pieces.append(.content(text))
        }
    }

    /// Remembers what would have to go back to the reader.
    private mutating func keep(_ text: String, isMark: Bool = false) {
        raw += text
        if !isMark, !text.allSatisfy(\.isWhitespace) { rawHasText = true }
    }

    /// Begins a JSON object as soon as the text after a separator shows one.
    private mutating func openObject() {
        let head = CallHead(name, gathered, kind: form.kind)
        guard let rest = head.arguments else {
            // No name is so long.
            if gathered.utf8.count > 256 { giveBack() }
            return
        }
        guard rest.first == "{" else { return giveBack() }
        name = head.name
        isFenced = head.isFenced
        openObject(rest)
    }

    private mutating func openObject(_ text: String) {
        guard beginCall() else { return giveBack() }
        gate = ObjectGate()
        state = .object
        absorb(text)
    }
}

// MARK: - Marks

extension ToolCallParser {
    private mutating func pass(_ mark: Mark, _ text: String) {
        isFenced = false
        switch (state, mark) {
        case (.object, _) where mark != .callEnd && mark != .sectionEnd: absorb(text)
        case (_, .callBegin):
            leave(at: mark, "")
            settle(.name)
            keep(text, isMark: true)
        case (_, .callEnd), (_, .sectionEnd), (_, .sectionBegin): leave(at: mark, text)
        case (.content, _), (.between, _): tell(text)
        case (.name, .separator), (.name, .nameEnd), (.name, .parameterBegin):
            name = functionName(gathered)
            step(to: mark == .separator ? .arguments : .parameters, text)
            parameterCount = 0
            if mark == .parameterBegin { state = .parameterName }
            if mark != .separator, !isName(name) { giveBack() }
        case (.arguments, .separator):
            keep(text, isMark: true)
            if !gathered.isEmpty { gathered += "\n" }
        case (.parameters, .parameterBegin):
            tell(gathered)
            step(to: .parameterName, text)
        case (.parameterName, .textBegin):
            parameterName = gathered
            step(to: .text, text)
            if beginCall() { say(parameterOpening() + "\"") }
        case (.parameterName, .jsonBegin), (.parameterName, .untypedBegin):
            parameterName = gathered
            isTyped = mark == .jsonBegin
            step(to: .value, text)
        case (.parameterName, .parameterNameEnd):
            parameterName = gathered
            isTyped = false
            step(to: .beforeValue, text)
        case (.beforeValue, .valueBegin): step(to: .value, text)
        case (.text, .valueEnd): endParameter("\"")
        case (.value, .valueEnd):
            if beginCall() { endParameter(parameterOpening() + parameterValue()) }
        default:
            // A parameter's begin where a value should stand.
            keep(text, isMark: true)
            giveBack()
        }
    }

    /// Goes on in a state with nothing to give back.
    private mutating func settle(_ next: ToolCallForm.State) {
        state = next
        gathered = ""
        raw = ""
        rawHasText = false
        space = ""
    }

    /// Goes on inside a call.
    private mutating func step(to next: ToolCallForm.State, _ mark: String) {
        state = next
        gathered = ""
        keep(mark, isMark: true)
    }

    /// Gives everything since the last understood place back to the reader.
    private mutating func giveBack() {
        let text = rawHasText ? raw : ""
        let begun = hasBegun
        settle(.between)
        hasBegun = false
        hasOpenCall = hasOpenCall || begun
        if !text.isEmpty { tell(text) }
    }

    /// Leaves whatever the state at hand is, since a call ends or another begins.
    private mutating func leave(at mark: Mark, _ text: String) {
        keep(text, isMark: true)
        let isEnd = mark == .callEnd || mark == .sectionEnd
        switch state {
        case .content, .between: break
        case .object: endCall()
        case .name:
            let inline = InlineCall(gathered, canHaveObject: form.spelling.parameter != nil)
            name = functionName(inline.name)
            // A name alone is a call in forms without a separator; elsewhere it must be known.
            let isClear = form.spelling.parameter != nil || isOffered(name)
            guard isEnd, isClear, isName(name), beginCall() else { break }
            say(inline.arguments)
            endCall()
        case .arguments:
            let head = CallHead(name, gathered, kind: form.kind)
            name = head.name
            guard isEnd, head.isBare, beginCall() else { break }
            say("{}")
            endCall()
        case .parameters:
            let isStray = !gathered.allSatisfy(\.isWhitespace)
            guard !isStray || hasBegun, beginCall() else { break }
            let stray = isStray ? gathered : ""
            say(parameterCount == 0 ? "{}" : "}")
            endCall()
            if !stray.isEmpty { tell(stray) }
        case .parameterName, .beforeValue, .text, .value: break
        }
        if state != .content, state != .between { giveBack() }
        settle(.between)
    }
}

// MARK: - Calls

extension ToolCallParser {
    /// Begins the call unless it has begun; `false`, and the text given back, if it has no name.
    private mutating func beginCall() -> Bool {
        guard !hasBegun else { return true }
        guard isName(name) else {
            giveBack()
            return false
        }
        pieces.append(.callBegin(index: callCount, name: name))
        callCount += 1
        arguments = ""
        hasBegun = true
        raw = ""
        rawHasText = false
        return true
    }

    /// Ends the call at hand; one whose arguments are no JSON stays open, so that nobody runs it.
    private mutating func endCall() {
        let isWhole = InlineCall.isObject(arguments)
        if isWhole { pieces.append(.callEnd(index: callCount - 1)) }
        hasOpenCall = hasOpenCall || !isWhole
        hasBegun = false
        settle(.between)
    }

    /// Adds to the arguments of the call at hand.
    private mutating func say(_ text: String) {
        guard !text.isEmpty else { return }
        arguments += text
        if case .callArguments(let index, let last) = pieces.last, index == callCount - 1 {
            pieces[pieces.count - 1] = .callArguments(index: index, text: last + text)
        } else {
            pieces.append(.callArguments(index: callCount - 1, text: text))
        }
    }

    private mutating func endParameter(_ text: String) {
        say(text)
        parameterCount += 1
        state = .parameters
        gathered = ""
        raw = ""
        rawHasText = false
    }

    /// What stands before a parameter's value.
    private func parameterOpening() -> String {
        var text = parameterCount > 0 ? ", " : "{"
        JSONValue.writeQuoted(parameterName, to: &text)
        return text + ": "
    }

    /// A value as JSON: as it stands if it is of a kind that the tool takes, else as a string.
    private func parameterValue() -> String {
        let kinds = parameterKinds
        do throws(Refusal) {
            let value = try JSONValue(parsing: gathered, subject: "argument", rules: .lenient)
            let isWanted = !value.kinds.isDisjoint(with: kinds)
            if kinds != [.string], isWanted || !kinds.contains(.string) { return gathered }
        } catch {}
        return JSONValue.string(gathered).pythonText
    }

    /// The beginning of a value that broke off; nothing is added that the model did not write.
    private func partialValue() -> String {
        guard !gathered.isEmpty, parameterKinds.contains(.string), !isTyped else { return gathered }
        return String(JSONValue.string(gathered).pythonText.dropLast())
    }

    /// What the value of the parameter at hand may be.
    private var parameterKinds: Set<JSONKind> {
        let schema = isTyped ? nil : tools.first { $0.name == name }?.parameters
        return schema.map { SchemaKinds(root: $0).ofMember(parameterName) }
            ?? Set(JSONKind.allCases)
    }

    /// The text ends here: what is no call yet is content, and what has begun stays open.
    private mutating func breakOff() {
        switch state {
        case .content, .between:
            if let space, callCount == 0, !space.isEmpty { add(space) }
            space = ""
        case .name, .arguments: giveBack()
        case .object, .text: break
        case .parameters: if !hasBegun || rawHasText { giveBack() }
        case .parameterName, .beforeValue, .value:
            guard hasBegun || state == .value else { return giveBack() }
            guard beginCall() else { return }
            if state == .parameterName { parameterName = gathered }
            var partial = parameterOpening()
            if state == .parameterName { partial.removeLast(3) }
            if state == .value { partial += partialValue() }
            say(partial)
        }
        hasOpenCall = hasOpenCall || hasBegun
    }

    /// The function's name; Kimi writes `functions.NAME:NUMBER`.
    private func functionName(_ text: String) -> String {
        var name = text.stripped
        guard form.numbersCalls else { return name }
        if name.hasPrefix("functions.") { name.removeFirst("functions.".count) }
        if let colon = name.lastIndex(of: ":"), name[colon...].dropFirst().allSatisfy(\.isNumber) {
            name = String(name[..<colon])
        }
        return name
    }

    private func isOffered(_ name: String) -> Bool { tools.contains { $0.name == name } }

    /// Whether a text can be the name of a function: it was offered, or has the form that OpenAI
    /// asks of names; the kind of a call is no name.
    private func isName(_ name: String) -> Bool {
        if isOffered(name) { return true }
        return name != form.kind && InlineCall.isName(name)
    }
}
