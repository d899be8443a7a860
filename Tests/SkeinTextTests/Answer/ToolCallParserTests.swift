import SkeinCore
import Testing

@testable import SkeinText

/// What models write when they do not keep to their format: nothing of it is dropped, and nothing
/// is called that was not clearly a call.
@Suite struct ToolCallParserTests {
    private static let forms: [String: ToolCallForm] = [
        "plain": .plain, "fenced": .fenced, "kimi": .kimi, "dsml": .dsml, "keyed": .keyed,
        "named": .named,
    ]

    private static let tools = [
        #"{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"#
            + #""x":{"type":"integer"},"s":{"type":"string"}}}}}"#,
        #"{"type":"function","function":{"name":"g"}}"#,
    ]

    /// A form's text in short: `«` `»` the section, `‹` `›` a call, `|` the separator; `①` begins a
    /// parameter x, `②` one without a type, `③` a text s, `④` ends its value; `⑤` begins any name.
    private static func text(_ short: String, _ form: String) -> String {
        let marks: [Character: String] =
            switch form {
            case "kimi":
                [
                    "«": "<|tool_calls_section_begin|>", "»": "<|tool_calls_section_end|>",
                    "‹": "<|tool_call_begin|>", "›": "<|tool_call_end|>",
                    "|": "<|tool_call_argument_begin|>",
                ]
            case "named": ["‹": "[TOOL_CALLS]", "|": "[ARGS]"]
            case "dsml":
                [
                    "«": "<｜DSML｜function_calls>", "»": "</｜DSML｜function_calls>",
                    "‹": "<｜DSML｜invoke name=\"", "›": "</｜DSML｜invoke>", "|": "\">",
                    "①": "<｜DSML｜parameter name=\"x\" string=\"false\">",
                    "②": "<｜DSML｜parameter name=\"x\">",
                    "③": "<｜DSML｜parameter name=\"s\" string=\"true\">",
                    "④": "</｜DSML｜parameter>",
                ]
            case "keyed":
                [
                    "‹": "<tool_call>", "›": "</tool_call>",
                    "①": "<arg_key>x</arg_key><arg_value>", "③": "<arg_key>s</arg_key><arg_value>",
                    "④": "</arg_value>", "⑤": "<arg_key>",
                ]
            default:
                [
                    "«": "<｜tool▁calls▁begin｜>", "»": "<｜tool▁calls▁end｜>",
                    "‹": "<｜tool▁call▁begin｜>", "›": "<｜tool▁call▁end｜>", "|": "<｜tool▁sep｜>",
                ]
            }
        return short.map { marks[$0] ?? "\($0)" }.joined()
    }

    struct Case: Sendable, CustomStringConvertible {
        var form: String
        var short: String
        var content = ""
        var calls: [[String]] = []
        var isOpen = false

        var description: String { "\(form): \(short)" }
    }

    /// Forms whose arguments are one JSON object.
    private static let objects: [Case] =
        ["plain", "fenced", "kimi"].flatMap { missing($0) + beside($0) + broken($0) } + [
            Case(
                form: "kimi", short: "«‹functions.f:3|{}›‹functions.g|{}›‹f:1|{}›»",
                calls: [["f", "{}"], ["g", "{}"], ["f", "{}"]]),
            Case(form: "fenced", short: "«‹function|{}›»", content: text("‹function|{}", "fenced")),
            Case(form: "fenced", short: "«‹function|f›»", calls: [["f", "{}"]]),
        ]

    /// Marks and arguments that are missing or stand twice, and the spelling of a relative.
    private static func missing(_ form: String) -> [Case] {
        let x1 = ["f", "{\"x\": 1}"]
        return [
            Case(form: form, short: "‹f|{\"x\": 1}›", calls: [x1]),
            Case(form: form, short: "«« ‹‹f|{\"x\": 1}›› »»", calls: [x1]),
            Case(form: form, short: "«‹f|{\"x\": 1}", calls: [x1]),
            Case(form: form, short: "«‹f|{\"x\": 1}‹g|{}»", calls: [x1, ["g", "{}"]]),
            Case(form: form, short: "«‹f|\n{\"x\": 1}\n›»", calls: [x1]),
            Case(form: form, short: "«‹function|f\n```json\n{\"x\": 1}\n```›»", calls: [x1]),
            Case(
                form: form, short: "«‹f|```json\n{\"s\": \"`}{`\"}```›»",
                calls: [["f", "{\"s\": \"`}{`\"}"]]),
            Case(form: form, short: "«‹f|{}«‹g|{}»", calls: [["f", "{}"], ["g", "{}"]]),
            Case(
                form: form, short: "«‹f|{\"x\": \"|‹«\"}",
                calls: [["f", "{\"x\": \"" + text("|‹«", form) + "\"}"]]),
            Case(form: form, short: "«‹f|›»", calls: [["f", "{}"]]),
            Case(form: form, short: "«‹f›»", calls: [["f", "{}"]]),
            Case(form: form, short: "«‹f| \n ›»", calls: [["f", "{}"]]),
            Case(form: form, short: "«‹function|f\n```json\n\n```›»", calls: [["f", "{}"]]),
        ]
    }

    /// Text beside calls.
    private static func beside(_ form: String) -> [Case] {
        [
            Case(
                form: form, short: "Hi«‹f|{}› and ‹g|{}›» bye", content: "Hi and  bye",
                calls: [["f", "{}"], ["g", "{}"]]),
            Case(
                form: form, short: "\n«‹f|{}›\n\n‹g|{}›\n»\n", calls: [["f", "{}"], ["g", "{}"]]),
            Case(
                form: form, short: "«‹f|{\"x\": 1} oops›", content: " oops",
                calls: [["f", "{\"x\": 1}"]]),
        ]
    }

    /// Names that were not offered, what is no call, and calls that break off.
    private static func broken(_ form: String) -> [Case] {
        [
            Case(form: form, short: "«‹other_1|{}›»", calls: [["other_1", "{}"]]),
            Case(
                form: form, short: "«‹{\"name\": \"f\"}›»",
                content: text("‹{\"name\": \"f\"}›", form)),
            Case(form: form, short: "«‹f|x=1›»", content: text("‹f|x=1", form)),
            Case(form: form, short: "«‹f|[1]›»", content: text("‹f|[1]", form)),
            Case(form: form, short: "«‹ask me|{}›»", content: text("‹ask me|{}", form)),
            Case(form: form, short: "«‹›»"),
            Case(form: form, short: "«‹f", content: text("‹f", form)),
            Case(form: form, short: "«‹f|", content: text("‹f|", form)),
            Case(form: form, short: "«‹f|{\"x", calls: [["f", "{\"x"]], isOpen: true),
            // What is no JSON is passed on and not called whole, so that nobody runs it.
            Case(form: form, short: "«‹f|{\"x\": 1›»", calls: [["f", "{\"x\": 1"]], isOpen: true),
            Case(form: form, short: "«‹f|{x: 1}›»", calls: [["f", "{x: 1}"]], isOpen: true),
            Case(
                form: form, short: "«‹f|{\"s\": \"\n\"}›»", calls: [["f", "{\"s\": \"\n\"}"]],
                isOpen: true),
        ]
    }

    /// Mistral's form, in which nothing ends a call.
    private static let named: [Case] = [
        Case(form: "named", short: "‹f|{\"x\": 1}", calls: [["f", "{\"x\": 1}"]]),
        Case(
            form: "named", short: "Hi‹f|{\"x\": 1}‹g|{}\n", content: "Hi",
            calls: [["f", "{\"x\": 1}"], ["g", "{}"]]),
        Case(
            form: "named", short: "‹f|{\"s\": \"‹|\"} bye", content: " bye",
            calls: [["f", "{\"s\": \"[TOOL_CALLS][ARGS]\"}"]]),
        Case(form: "named", short: "‹other-1|{}", calls: [["other-1", "{}"]]),
        Case(
            form: "named", short: "‹[{\"name\": \"f\"}]",
            content: "[TOOL_CALLS][{\"name\": \"f\"}]"),
        Case(form: "named", short: "‹f|x=1", content: "[TOOL_CALLS]f[ARGS]x=1"),
        Case(form: "named", short: "‹ask me|{}", content: "[TOOL_CALLS]ask me[ARGS]{}"),
        Case(form: "named", short: "‹f|{\"x\": ", calls: [["f", "{\"x\": "]], isOpen: true),
        Case(form: "named", short: "‹f", content: "[TOOL_CALLS]f"),
    ]

    private static let parameters: [Case] = [
        Case(form: "dsml", short: "«‹f|①1④›»", calls: [["f", "{\"x\": 1}"]]),
        Case(form: "dsml", short: "‹f|\n①1④\n›", calls: [["f", "{\"x\": 1}"]]),
        Case(form: "dsml", short: "«‹f|①1④»", calls: [["f", "{\"x\": 1}"]]),
        Case(
            form: "dsml", short: "««‹f|①1④‹g|›» »", calls: [["f", "{\"x\": 1}"], ["g", "{}"]]),
        Case(form: "dsml", short: "«‹f|{\"x\": [1]}›»", calls: [["f", "{\"x\": [1]}"]]),
        Case(form: "dsml", short: "«‹f|②1④③2④›»", calls: [["f", "{\"x\": 1, \"s\": \"2\"}"]]),
        Case(form: "dsml", short: "«‹f|①one④›»", calls: [["f", "{\"x\": \"one\"}"]]),
        Case(form: "dsml", short: "«‹f|③\"\n④›»", calls: [["f", "{\"s\": \"\\\"\\n\"}"]]),
        Case(form: "dsml", short: "«‹f|what›»", content: text("‹f|what›", "dsml")),
        Case(
            form: "dsml", short: "«‹f|hm ①1④ oh ›» bye", content: "hm  oh  bye",
            calls: [["f", "{\"x\": 1}"]]),
        Case(form: "dsml", short: "«‹f g|①1④»", content: text("‹f g|①1④", "dsml")),
        Case(form: "dsml", short: "«‹f|③12", calls: [["f", "{\"s\": \"12"]], isOpen: true),
        Case(form: "dsml", short: "«‹f|①12", calls: [["f", "{\"x\": 12"]], isOpen: true),
        Case(form: "dsml", short: "«‹f|①1④", calls: [["f", "{\"x\": 1"]], isOpen: true),
        Case(form: "dsml", short: "«‹f", content: text("‹f", "dsml")),
        Case(form: "keyed", short: "Hi‹f①1④›", content: "Hi", calls: [["f", "{\"x\": 1}"]]),
        Case(
            form: "keyed", short: "‹f\n①1④\n③1④\n›", calls: [["f", "{\"x\": 1, \"s\": \"1\"}"]]),
        Case(form: "keyed", short: "‹f›\n‹g\n›", calls: [["f", "{}"], ["g", "{}"]]),
        Case(form: "keyed", short: "‹‹f①1④‹g››", calls: [["f", "{\"x\": 1}"], ["g", "{}"]]),
        Case(form: "keyed", short: "‹f\n{\"x\": 1}›", calls: [["f", "{\"x\": 1}"]]),
        Case(
            form: "keyed", short: "‹{\"name\": \"f\"}› bye",
            content: text("‹{\"name\": \"f\"}› bye", "keyed")),
        Case(
            form: "keyed", short: "‹f⑤o</arg_key>5›", content: text("‹f⑤o</arg_key>5›", "keyed")),
        Case(form: "keyed", short: "‹f①bad④›", calls: [["f", "{\"x\": \"bad\"}"]]),
        Case(form: "keyed", short: "‹f", content: text("‹f", "keyed")),
        Case(
            form: "keyed", short: "‹f①1④③2", calls: [["f", "{\"x\": 1, \"s\": \"2"]],
            isOpen: true),
        Case(form: "keyed", short: "‹f①1④⑤o", calls: [["f", "{\"x\": 1, \"o"]], isOpen: true),
    ]

    @Test(arguments: objects + named + parameters)
    func nothingIsDroppedAndNothingIsGuessed(_ expected: Case) throws {
        let form = try #require(Self.forms[expected.form])
        let tools = try Self.tools.map {
            try ChatTool(parsing: JSONValue(parsing: $0, subject: "tool"), subject: "tool")
        }
        for pieces in Cuts.some(of: Self.text(expected.short, expected.form)) {
            var parser = ToolCallParser(form, tools: tools)
            let found = pieces.flatMap { parser.push($0) } + parser.finish()
            let answer = ParsedAnswer(found)
            #expect(answer.content == expected.content, "\(pieces)")
            #expect(zip(answer.names, answer.arguments).map { [$0, $1] } == expected.calls)
            #expect(parser.hasOpenCall == expected.isOpen)
            #expect(answer.endedCount == expected.calls.count - (expected.isOpen ? 1 : 0))
        }
    }

    /// The marks of a call that is none go back to the reader only where control tokens are shown.
    @Test func marksThatCameAsControlTokensAreNoContent() {
        var parser = ToolCallParser(.plain)
        var pieces = parser.push("<｜tool▁call▁begin｜>", isHidden: true)
        pieces += parser.push("{\"name\": \"f\"}")
        pieces += parser.push("<｜tool▁call▁end｜>", isHidden: true) + parser.finish()
        #expect(ParsedAnswer(pieces).content == "{\"name\": \"f\"}")
    }

    /// Where only the tool's definition tells what a parameter is, all of it is asked.
    @Test(arguments: [
        (#"{"type":"string"}"#, "12", #""12""#), (#"{"type":"integer"}"#, "12", "12"),
        (#"{"type":["string","null"]}"#, "12", #""12""#),
        (#"{"type":["string","null"]}"#, "null", "null"),
        (#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#, "null", "null"),
        (#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#, "true", #""true""#),
        (#"{"anyOf":[{"type":"string"},{"type":"integer"}]}"#, "12", "12"),
        (#"{"anyOf":[{"type":"string"},{"type":"integer"}]}"#, "1.5", #""1.5""#),
        (#"{"oneOf":[{"type":"string"},{"type":"array"}]}"#, "[1]", "[1]"),
        (##"{"$ref":"#/$defs/Text"}"##, "12", #""12""#),
        (##"{"$ref":"#/$defs/Any%3Cint%3E"}"##, "12", "12"),
        (##"{"allOf":[{"$ref":"#/$defs/Text"}],"description":"d"}"##, "{}", #""{}""#),
        (#"{"enum":["1","2"]}"#, "1", #""1""#), (#"{"const":1}"#, "1", "1"), ("{}", "1", "1"),
        ("{}", "one", #""one""#), (#"{"type":"object"}"#, "[1]", "[1]"),
        (##"{"$ref":"#/properties/p"}"##, "1", "1"), (#"{"type":"number"}"#, "5", "5"),
        (#"{"type":"boolean","nullable":true}"#, "null", "null"),
    ])
    func aParameterIsWhatItsSchemaSays(schema: String, text: String, value: String) throws {
        let definition =
            #"{"type":"function","function":{"name":"f","parameters":{"type":"object","#
            + #""properties":{"p":\#(schema)},"$defs":{"Text":{"type":"string"},"#
            + #""Any<int>":{"type":"integer"}}}}}"#
        let tool = try ChatTool(
            parsing: JSONValue(parsing: definition, subject: "tool"), subject: "tool")
        var parser = ToolCallParser(.keyed, tools: [tool])
        let pieces = parser.push(
            "<tool_call>f<arg_key>p</arg_key><arg_value>\(text)</arg_value></tool_call>")
        #expect(ParsedAnswer(pieces + parser.finish()).arguments == ["{\"p\": \(value)}"])
    }

    @Test(
        arguments: [
            ("#", []), ("#/", [""]), ("#/a/b", ["a", "b"]), ("#/a~1b/~0~01", ["a/b", "~~1"]),
            ("#/A%3Cint%3E", ["A<int>"]), ("#%2Fa%2fb", ["a", "b"]), ("#/%C3%A9", ["é"]),
            ("#/a%25b", ["a%b"]), ("#/a%7E1b", ["a/b"]), ("#/a%", nil), ("#/a%2", nil),
            ("#/%zz", nil),
            ("#/%FF", nil), ("a", nil), ("", nil), ("#a", nil), ("http://x#/a", nil),
        ] as [(String, [String]?)])
    func aPointerIsReadAsTheStandardSays(fragment: String, steps: [String]?) {
        #expect(JSONPointer(fragment: fragment)?.steps == steps)
    }
}
