import Testing

@testable import SkeinCore

@Suite("JSONValue")
struct JSONValueTests {
    private func parse(_ text: String) throws(Refusal) -> JSONValue {
        try JSONValue(parsing: Array(text.utf8), subject: "file.json")
    }

    @Test(arguments: [
        ("null", JSONValue.null), (" true ", .bool(true)), ("false", .bool(false)),
        ("0", .integer(0)), ("-17", .integer(-17)), ("1.0", .number(1)), ("1e3", .number(1_000)),
        ("-2.5E-1", .number(-0.25)), ("9223372036854775807", .integer(.max)),
        ("9223372036854775808", .number(9_223_372_036_854_775_808)),
        ("\"\"", .string("")), (#""a\n\"\\\/\u00e9\ud83e\udea2""#, .string("a\n\"\\/é🪢")),
        ("[]", .array([])), ("[1, [2]]", .array([.integer(1), .array([.integer(2)])])),
        ("{}", .object([:])), (#"{"a": {"b": null}}"#, .object(["a": .object(["b": .null])])),
    ])
    func wellFormedTextGivesItsValue(_ text: String, _ expected: JSONValue) throws {
        #expect(try parse(text) == expected)
    }

    @Test(arguments: [
        "", " ", "nul", "tru e", "01", "-", "1.", ".5", "1e", "+1", "NaN", "Infinity", "1e999",
        "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\ud83e\"", "\"\\udea2\"", "\"\u{1}\"",
        "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "]", "{", "{\"a\"", "{\"a\":", "{\"a\":1",
        "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{} {}", "1 1",
        "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "'a'", "// c\n1",
    ])
    func malformedTextIsRefusedInOneLine(_ text: String) {
        let refusal = #expect(throws: Refusal.self) { try parse(text) }
        #expect(refusal?.description.contains("file.json: not valid JSON at byte") == true)
        #expect(refusal?.description.contains("\n") == false)
    }

    @Test func bytesThatAreNotTextAreRefused() {
        for bytes: [UInt8] in [[0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0xEF, 0xBB, 0xBF, 0x31]] {
            #expect(throws: Refusal.self) { try JSONValue(parsing: bytes, subject: "file.json") }
        }
    }

    @Test func depthIsLimited() throws {
        let deepest = Limits.jsonDepthMax
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try parse(nested(deepest))
        #expect(throws: Refusal.self) { try parse(nested(deepest + 1)) }
        #expect(throws: Refusal.self) { try parse(String(repeating: "{\"a\":", count: 100_000)) }
    }

    @Test func textAndValueAreTwoFormsOfOneThing() throws {
        let value = JSONValue.object([
            "z": .array([.integer(1), .number(1e-6), .bool(false), .null]), "a": .object([:]),
            "text": .string("é \"quoted\" \\ \n \u{1}"), "empty": .array([]),
        ])
        #expect(try parse(value.text) == value)
        #expect(try parse(value.text).text == value.text)
    }
}
