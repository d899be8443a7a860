import Testing

@testable import SkeinCore

@Suite("JSONWriter")
struct JSONWriterTests {
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
        let value = try JSONValue(parsing: text, subject: "test", rules: .lenient)
        #expect(Array(value.pythonText.utf8) == Array(expected.utf8))
    }

    @Test(arguments: [
        (#"{"b":1.0,"a":[1e5,-0,"\u0001/\t"],"c":{},"d":[]}"#, #"[1e5,-0,"\u0001/\t"]"#)
    ])
    func foreignTextWithoutSpacesComesBackByteForByte(text: String, part: String) throws {
        let value = try JSONValue(parsing: text, subject: "test")
        #expect(value.line == text)
        #expect(value["a"]?.line == part)
    }

    @Test func anIndentedTextHasTwoSpacesALevel() throws {
        let value = try JSONValue(parsing: #"{"b":[1,{"c":[]}],"a":{}}"#, subject: "test")
        let expected = """
            {
              "b": [
                1,
                {
                  "c": []
                }
              ],
              "a": {}
            }

            """
        #expect(value.text == expected)
        #expect(try JSONValue(parsing: value.text, subject: "test") == value)
    }

    @Test func whatAProgramMakesIsSorted() {
        let value = JSONValue.object(["z": .integer(-1), "a": .number(0.5), "b": .object([:])])
        #expect(value.line == #"{"a":0.5,"b":{},"z":-1}"#)
        #expect(JSONValue.number(.infinity) == .null)
        #expect(JSONValue.number(.nan) == .null)
    }

    @Test(arguments: [
        (#"{"b": 1, "a": 0.000001}"#, #"{"a":1e-6,"b":1}"#), ("[1.0, 10]", "[1.00,10]"),
        (#"{"x": {"q": [100000.0], "p": "é"}}"#, #"{"x":{"p":"\u00e9","q":[1e5]}}"#),
    ])
    func spellingsOfOneDocumentHaveOneCanonicalForm(one: String, other: String) throws {
        let one = try JSONValue(parsing: one, subject: "test")
        let other = try JSONValue(parsing: other, subject: "test")
        #expect(one.canonical == other.canonical)
        #expect(one.canonical.text == other.canonical.text)
        #expect(one != other)
    }

    @Test func readingWhatWasWrittenGivesTheSame() throws {
        var numbers = SeededNumbers(state: 5)
        for _ in 0..<200 {
            let value = Self.random(depth: 4, using: &numbers)
            for text in [value.pythonText, value.line, value.text] {
                #expect(try JSONValue(parsing: text, subject: "test") == value)
            }
        }
    }

    private static func random(depth: Int, using numbers: inout SeededNumbers) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 7 : 5), using: &numbers) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &numbers))
        case 2: return .integer(Int.random(in: -1_000...1_000, using: &numbers))
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
