import SkeinCore
import Testing

@testable import SkeinText

@Suite struct JSONValueTests {
    /// Left what is read, right what Python 3 writes with `json.dumps(…, ensure_ascii=False)`.
    @Test(arguments: [
        ("{\"b\":1,\"a\":[true,false,null]}", "{\"b\": 1, \"a\": [true, false, null]}"),
        ("[]", "[]"), ("{}", "{}"), (" [ 1 , 2 ] ", "[1, 2]"), ("-0", "0"), ("-0.0", "-0.0"),
        ("1.0", "1.0"), ("0.50", "0.5"), ("1e5", "100000.0"), ("1E-5", "1e-05"), ("1e16", "1e+16"),
        ("12345678901234567890", "12345678901234567890"), ("1e400", "Infinity"),
        ("9007199254740993.0", "9007199254740992.0"), ("123456789012345.6", "123456789012345.6"),
        ("0.0001", "0.0001"), ("1.5e300", "1.5e+300"),
        (#""é \u00e9 \u20AC \ud83d\ude42""#, "\"é é € 🙂\""),
        (#""\"\\\/\b\f\n\r\t\u0001""#, #""\"\\/\b\f\n\r\t\u0001""#), ("\"\u{7F}\"", "\"\u{7F}\""),
        (#"{"a":1,"b":2,"a":3}"#, #"{"a": 3, "b": 2}"#),
    ])
    func aValueIsWrittenAsPythonWritesIt(text: String, expected: String) throws {
        let value = try JSONValue(parsing: text, subject: "test")
        #expect(value.pythonText.exact == expected.exact)
    }

    @Test func halfASurrogatePairBecomesTheReplacementCharacter() throws {
        let value = try JSONValue(parsing: #"["\ud800","\udc00","\ud800\u0041"]"#, subject: "test")
        #expect(value.array?.map(\.string) == ["\u{FFFD}", "\u{FFFD}", "\u{FFFD}A"])
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "{\"a\" 1}", "{a:1}", "[1 2]", "01", "1.", "-", "+1", ".5", "1e",
        "nul", "truefalse", "\"", "\"\\x\"", "\"\\u12\"", "\"\n\"", "[1]]", "NaN", "'a'",
        String(repeating: "[", count: 65), "{\"a\":1,}", "//", "\u{FEFF}1",
    ])
    func brokenJSONIsRefusedInOneLine(text: String) {
        #expect {
            try JSONValue(parsing: text, subject: "a.json")
        } throws: { error in
            "\(error)".hasPrefix("a.json: is not valid JSON at byte ") && !"\(error)".contains("\n")
        }
    }

    @Test(arguments: [
        (#"{"a": 1, "a": 2}"#, "twice"), (#"[{"b": {}, "\u0062": 2}]"#, "twice"),
        (#""\ud800""#, "surrogate"), (#""\udc00""#, "surrogate"), (#""\ud800\u0041""#, "surrogate"),
    ])
    func whatCouldBeMeantInTwoWaysIsRefusedInARequest(text: String, word: String) throws {
        _ = try JSONValue(parsing: text, subject: "a.json")
        #expect {
            try JSONValue(parsingRequest: Array(text.utf8), subject: "body")
        } throws: { error in
            "\(error)".hasPrefix("body: is not valid JSON") && "\(error)".contains(word)
        }
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        #expect(throws: Refusal.self) {
            try JSONValue(parsing: [0x22, 0xFF, 0x22], subject: "a.json")
        }
    }

    @Test func readingWhatWasWrittenGivesTheSame() throws {
        var numbers = SeededNumbers(seed: 5)
        for _ in 0..<200 {
            let value = Self.random(depth: 4, using: &numbers)
            #expect(try JSONValue(parsing: value.pythonText, subject: "test") == value)
        }
    }

    static func random(depth: Int, using numbers: inout SeededNumbers) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 7 : 5), using: &numbers) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &numbers))
        case 2: return .number(String(Int.random(in: -1_000...1_000, using: &numbers)))
        case 3: return .string("\"\\\n\u{1F}é🙂")
        case 4: return .string("")
        case 5:
            return .array((0..<3).map { _ in random(depth: depth - 1, using: &numbers) })
        default:
            return .object(
                (0..<3).map { .init("k\($0)", random(depth: depth - 1, using: &numbers)) })
        }
    }
}
