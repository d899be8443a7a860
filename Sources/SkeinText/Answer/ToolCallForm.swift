/// How a chat format writes calls of tools: one row a form, from which calls are both read and
/// demanded.
///
///     section begin ─► call begin ─► name ─► separator ─► {JSON} ─► call end … ─► section end
///     (DSML, GLM)                    name ─► parameter begin ─► name ─► value ─► value end …
struct ToolCallForm: Sendable {
    /// A mark in the model's text.
    enum Mark: Sendable {
        case sectionBegin, sectionEnd, callBegin, callEnd

        /// Ends a function's name where JSON follows.
        case separator

        /// Ends a function's name where parameters follow.
        case nameEnd

        case parameterBegin

        /// Ends a parameter's name: it is text up to the end of the value.
        case textBegin

        /// Ends a parameter's name: it is JSON.
        case jsonBegin

        /// Ends a parameter's name, and only the tool's definition tells what it is.
        case untypedBegin

        /// Ends a parameter's name; the value begins at a mark of its own.
        case parameterNameEnd

        case valueBegin, valueEnd
    }

    /// What the text at hand is.
    enum State: Equatable, Sendable {
        /// Text for the reader, before any call.
        case content

        /// Between calls and after them; text there is for the reader too.
        case between

        /// A function's name, or the kind of a call.
        case name

        /// After the separator, as long as it is not clear whether a call follows.
        case arguments

        /// A JSON object.
        case object

        /// Nothing: the space around parameters.
        case parameters

        case parameterName

        /// Nothing: the space between a parameter's name and its value.
        case beforeValue

        /// A parameter's value that is text.
        case text

        /// A parameter's value, which is judged when it is whole.
        case value
    }

    /// How the marks are written where calls are demanded, with the space that the format wants.
    struct Spelling: Sendable {
        var sectionBegin = ""
        var callBegin = ""
        /// Between a function's name and its arguments.
        var separator = ""
        var callEnd = ""
        var between = ""
        var sectionEnd = ""

        /// Marks around a parameter; `nil` where the arguments are one JSON object.
        var parameter: Parameter?

        /// The marks around one parameter.
        struct Parameter: Sendable {
            var begin: String
            /// Between the parameter's name and a value that is text.
            var textBegin: String
            /// Between the parameter's name and a value that is JSON.
            var jsonBegin: String
            var end: String
            /// After the parameter.
            var space = ""
            /// What stands where there are no parameters.
            var none = ""
        }
    }

    /// How a demand writes the marks.
    let spelling: Spelling

    /// The kind that stands before a function's name, with a separator between.
    var kind: String?

    /// Whether names are written `functions.NAME:NUMBER`.
    var numbersCalls = false

    /// With which scalars the marks begin that end a call's arguments.
    let markScalars: GrammarBuilder.Scalars

    /// Each state's marks; of two at one place the one given first counts.
    private let marks: [State: [(mark: Mark, bytes: [UInt8])]]

    /// The marks to look for in a state.
    func marks(in state: State) -> [(mark: Mark, bytes: [UInt8])] { marks[state] ?? [] }

    /// The texts of all marks that are looked for.
    var markTexts: Set<String> {
        Set(marks.values.joined().map { String(decoding: $0.bytes, as: UTF8.self) })
    }

    private init(
        _ spelling: Spelling, marks texts: [(Mark, String)], in states: [State: [Mark]],
        markScalars: GrammarBuilder.Scalars
    ) {
        self.spelling = spelling
        self.markScalars = markScalars
        marks = states.mapValues { wanted in
            wanted.flatMap { mark in
                texts.filter { $0.0 == mark }.map { (mark, Array($0.1.utf8)) }
            }
        }
    }
}

extension ToolCallForm {
    /// DeepSeek-V3.1: name, separator, JSON.
    static let plain = object(
        Spelling(
            sectionBegin: ChatMark.callsBegin, callBegin: ChatMark.callBegin,
            separator: ChatMark.separator, callEnd: ChatMark.callEnd,
            sectionEnd: ChatMark.callsEnd),
        DeepSeek.marks, markScalars: DeepSeek.bar)

    /// DeepSeek-V3 and R1: kind, separator, name, JSON in a fence of backticks.
    static let fenced = {
        var form = object(
            Spelling(
                sectionBegin: ChatMark.callsBegin,
                callBegin: ChatMark.callBegin + "function" + ChatMark.separator,
                separator: "\n```json\n", callEnd: "\n```" + ChatMark.callEnd, between: "\n",
                sectionEnd: ChatMark.callsEnd),
            DeepSeek.marks, markScalars: DeepSeek.bar)
        form.kind = "function"
        return form
    }()

    /// Kimi-K2.
    static let kimi = {
        let marks: [(Mark, String)] = [
            (.sectionBegin, "<|tool_calls_section_begin|>"),
            (.sectionEnd, "<|tool_calls_section_end|>"), (.callBegin, "<|tool_call_begin|>"),
            (.callEnd, "<|tool_call_end|>"), (.separator, "<|tool_call_argument_begin|>"),
        ]
        var form = object(
            Spelling(
                sectionBegin: marks[0].1, callBegin: marks[2].1 + "functions.",
                separator: marks[4].1, callEnd: marks[3].1, sectionEnd: marks[1].1),
            marks, markScalars: [0x7C...0x7C])
        form.numbersCalls = true
        return form
    }()

    /// Mistral: name, separator, JSON; nothing ends a call but the next one or the answer's end.
    static let named = {
        let marks: [(Mark, String)] = [(.callBegin, "[TOOL_CALLS]"), (.separator, "[ARGS]")]
        return object(
            Spelling(callBegin: marks[0].1, separator: marks[1].1), marks, markScalars: [])
    }()

    private enum DeepSeek {
        static let marks: [(Mark, String)] = [
            (.sectionBegin, ChatMark.callsBegin), (.sectionEnd, ChatMark.callsEnd),
            (.callBegin, ChatMark.callBegin), (.callEnd, ChatMark.callEnd),
            (.separator, ChatMark.separator),
        ]

        /// The bar of DeepSeek's marks, which is not the one of ASCII.
        static let bar: GrammarBuilder.Scalars = [0xFF5C...0xFF5C]
    }

    /// Forms in which the arguments are one JSON object.
    private static func object(
        _ spelling: Spelling, _ marks: [(Mark, String)], markScalars: GrammarBuilder.Scalars
    ) -> ToolCallForm {
        let all: [Mark] = [.callBegin, .callEnd, .sectionBegin, .sectionEnd]
        return ToolCallForm(
            spelling, marks: marks,
            in: [
                .content: [.sectionBegin, .callBegin],
                .between: all, .name: [.separator] + all, .arguments: [.separator] + all,
                .object: all,
            ], markScalars: markScalars)
    }

    /// DeepSeek-V3.2.
    static let dsml = {
        let (open, close) = ("<" + ChatMark.dsml, "</" + ChatMark.dsml)
        let (begin, end) = ("\(open)function_calls>", "\(close)function_calls>")
        let parameter = Spelling.Parameter(
            begin: "\(open)parameter name=\"", textBegin: "\" string=\"true\">",
            jsonBegin: "\" string=\"false\">", end: "\(close)parameter>", space: "\n",
            none: "\n")
        let all: [Mark] = [.sectionBegin, .sectionEnd, .callBegin, .callEnd]
        return ToolCallForm(
            Spelling(
                sectionBegin: "\n\n\(begin)\n", callBegin: "\(open)invoke name=\"",
                separator: "\">\n", callEnd: "\(close)invoke>\n", sectionEnd: end,
                parameter: parameter),
            marks: [
                (.sectionBegin, "\n\n" + begin), (.sectionBegin, begin), (.sectionEnd, end),
                (.callBegin, "\(open)invoke name=\""), (.callEnd, "\(close)invoke>"),
                (.nameEnd, "\">"), (.parameterBegin, parameter.begin),
                (.textBegin, parameter.textBegin), (.jsonBegin, parameter.jsonBegin),
                (.untypedBegin, "\">"), (.valueEnd, parameter.end),
            ],
            in: [
                .content: [.sectionBegin, .callBegin],
                .between: all, .name: [.nameEnd] + all, .parameters: [.parameterBegin] + all,
                .object: all, .parameterName: [.textBegin, .jsonBegin, .untypedBegin] + all,
                .text: [.valueEnd], .value: [.valueEnd],
            ], markScalars: DeepSeek.bar)
    }()

    /// GLM-4.7-Flash.
    static let keyed = {
        let all: [Mark] = [.callBegin, .callEnd]
        let parameter = Spelling.Parameter(
            begin: "<arg_key>", textBegin: "</arg_key><arg_value>",
            jsonBegin: "</arg_key><arg_value>", end: "</arg_value>")
        return ToolCallForm(
            Spelling(callBegin: "<tool_call>", callEnd: "</tool_call>", parameter: parameter),
            marks: [
                (.callBegin, "<tool_call>"), (.callEnd, "</tool_call>"),
                (.parameterBegin, "<arg_key>"), (.parameterNameEnd, "</arg_key>"),
                (.valueBegin, "<arg_value>"), (.valueEnd, parameter.end),
            ],
            in: [
                .content: [.callBegin], .between: all,
                .name: [.parameterBegin] + all, .parameters: [.parameterBegin] + all,
                .parameterName: [.parameterNameEnd] + all,
                .beforeValue: [.valueBegin, .parameterBegin] + all, .value: [.valueEnd],
            ], markScalars: [0x3C...0x3C])
    }()
}
