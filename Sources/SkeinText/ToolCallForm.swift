/// How a chat format writes tool calls: which marks lead from which state to which.
struct ToolCallForm: Sendable {
    /// What the text at hand is.
    enum State: Equatable, Sendable {
        /// Text for the reader.
        case content

        /// Nothing: the space between two calls.
        case between

        /// The kind of a call, always "function".
        case type

        /// The name of a function.
        case name

        /// Arguments as JSON, or JSON in a fence of backticks.
        case arguments

        /// Nothing: the space between two parameters.
        case parameters

        /// The name of a parameter.
        case parameterName

        /// The text of a parameter that is a string.
        case stringValue

        /// A parameter as JSON.
        case jsonValue

        /// Nothing: the space between a parameter's name and its value.
        case beforeValue

        /// A parameter of which only the tool's definition tells what it is.
        case untypedValue
    }

    /// What happens at a mark.
    enum Action: Sendable {
        case begin, end, openObject, closeObject, openValue, openString, closeString, typedValue
        case keepName
    }

    /// One way out of a state.
    struct Step: Sendable {
        let mark: String
        let actions: [Action]
        let next: State

        init(_ mark: String, _ actions: [Action] = [], to next: State) {
            self.mark = mark
            self.actions = actions
            self.next = next
        }
    }

    private let table: [State: [Step]]

    /// Whether the arguments stand in a fence of backticks.
    let isFenced: Bool

    init(_ format: ChatFormat) {
        isFenced = [.deepSeekV3, .deepSeekR1, .deepSeekR1May].contains(format)
        switch format {
        case .deepSeekV2: table = [:]
        case .deepSeekV3, .deepSeekR1, .deepSeekR1May: table = Self.fenced
        case .deepSeekV31: table = Self.plain(.deepSeek)
        case .kimiK2: table = Self.plain(.kimi)
        case .deepSeekV32: table = Self.dsml
        case .glm47Flash: table = Self.keyed
        }
    }

    func steps(in state: State) -> [Step] { table[state] ?? [] }

    private struct Marks {
        let callsBegin, callsEnd, callBegin, callEnd, separator: String

        static let deepSeek = Marks(
            callsBegin: ChatMark.callsBegin, callsEnd: ChatMark.callsEnd,
            callBegin: ChatMark.callBegin, callEnd: ChatMark.callEnd,
            separator: ChatMark.separator)
        static let kimi = Marks(
            callsBegin: "<|tool_calls_section_begin|>", callsEnd: "<|tool_calls_section_end|>",
            callBegin: "<|tool_call_begin|>", callEnd: "<|tool_call_end|>",
            separator: "<|tool_call_argument_begin|>")
    }

    /// Name, separator, JSON: DeepSeek-V3.1 and Kimi-K2.
    private static func plain(_ marks: Marks) -> [State: [Step]] {
        [
            .content: [Step(marks.callsBegin, to: .between), Step(marks.callBegin, to: .name)],
            .between: [Step(marks.callBegin, to: .name), Step(marks.callsEnd, to: .content)],
            .name: [
                Step(marks.separator, [.begin], to: .arguments),
                Step(marks.callEnd, [.begin, .end], to: .between),
            ],
            .arguments: [
                Step(marks.callEnd, [.end], to: .between),
                Step(marks.callsEnd, [.end], to: .content),
            ],
        ]
    }

    /// Kind, separator, name, JSON in a fence: DeepSeek-V3 and R1.
    private static let fenced: [State: [Step]] = {
        var table = plain(.deepSeek)
        table[.content] = [
            Step(ChatMark.callsBegin, to: .between), Step(ChatMark.callBegin, to: .type),
        ]
        table[.between] = [
            Step(ChatMark.callBegin, to: .type), Step(ChatMark.callsEnd, to: .content),
        ]
        table[.type] = [
            Step(ChatMark.separator, to: .name), Step(ChatMark.callEnd, to: .between),
        ]
        table[.name] = [
            Step("\n", [.begin], to: .arguments),
            Step(ChatMark.callEnd, [.begin, .end], to: .between),
        ]
        return table
    }()

    /// DeepSeek-V3.2.
    private static let dsml: [State: [Step]] = {
        let (open, close) = ("<" + ChatMark.dsml, "</" + ChatMark.dsml)
        return [
            .content: [
                Step("\n\n\(open)function_calls>", to: .between),
                Step("\(open)function_calls>", to: .between),
            ],
            .between: [
                Step("\(open)invoke name=\"", to: .name),
                Step("\(close)function_calls>", to: .content),
            ],
            .name: [Step("\">", [.begin, .openObject], to: .parameters)],
            .parameters: [
                Step("\(open)parameter name=\"", to: .parameterName),
                Step("\(close)invoke>", [.closeObject, .end], to: .between),
            ],
            .parameterName: [
                Step("\" string=\"true\">", [.openValue, .openString], to: .stringValue),
                Step("\" string=\"false\">", [.openValue], to: .jsonValue),
            ],
            .stringValue: [Step("\(close)parameter>", [.closeString], to: .parameters)],
            .jsonValue: [Step("\(close)parameter>", to: .parameters)],
        ]
    }()

    /// GLM-4.7-Flash.
    private static let keyed: [State: [Step]] = [
        .content: [Step("<tool_call>", to: .name)],
        .name: [
            Step("<arg_key>", [.begin, .openObject], to: .parameterName),
            Step("</tool_call>", [.begin, .openObject, .closeObject, .end], to: .content),
        ],
        .parameters: [
            Step("<arg_key>", to: .parameterName),
            Step("</tool_call>", [.closeObject, .end], to: .content),
        ],
        .parameterName: [Step("</arg_key>", [.keepName], to: .beforeValue)],
        .beforeValue: [Step("<arg_value>", to: .untypedValue)],
        .untypedValue: [Step("</arg_value>", [.typedValue], to: .parameters)],
    ]
}

/// Lets one JSON object or list through and keeps the fence around it out.
struct FenceGate: Sendable {
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var isDone = false

    mutating func pass(_ text: String) -> String {
        var passed: [UInt8] = []
        for byte in text.utf8 where !isDone {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
            } else {
                switch byte {
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case _ where depth == 0: continue
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    depth -= 1
                    isDone = depth == 0
                case UInt8(ascii: "\""): isInString = true
                default: break
                }
            }
            passed.append(byte)
        }
        return String(decoding: passed, as: UTF8.self)
    }
}
