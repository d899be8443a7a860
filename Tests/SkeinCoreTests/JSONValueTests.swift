import Testing

@testable import SkeinCore

@Suite("JSONValue")
struct JSONValueTests {
    private static let everyone: [JSONRules] = [.file, .lenient, .client]

    private func parse(_ text: String, _ rules: JSONRules = .file) throws(Refusal) -> JSONValue {
        try JSONValue(parsing: Array(text.utf8), subject: "file.json", rules: rules)
    }

    @Test(arguments: [
        ("null", JSONValue.null), (" true ", .bool(true)), ("false", .bool(false)),
        ("0", .integer(0)), ("-17", .integer(-17)), ("1.0", .number("1.0")),
        ("1e3", .number("1e3")), ("-2.5E-1", .number("-2.5E-1")),
        ("9223372036854775808", .number("9223372036854775808")),
        ("\"\"", .string("")), (#""a\n\"\\\/\u00e9\ud83e\udea2""#, .string("a\n\"\\/é🪢")),
        ("[]", .array([])), ("[1, [2]]", .array([.integer(1), .array([.integer(2)])])),
        ("{}", .object([])),
        (
            #"{"b": {"a": null}, "a": 1}"#,
            .object([.init("b", .object([.init("a", .null)])), .init("a", .integer(1))])
        ),
    ])
    func wellFormedTextGivesItsValue(_ text: String, _ expected: JSONValue) throws {
        for rules in Self.everyone { #expect(try parse(text, rules) == expected) }
        #expect(try JSONValue(parsing: text, subject: "text") == expected)
    }

    @Test(arguments: [
        ("-17", -17, -17), ("0", 0, 0), ("-0", 0, 0), ("1.0", nil, 1), ("1e3", nil, 1_000),
        ("-2.5E-1", nil, -0.25), ("9223372036854775807", Int.max, 0x1p63),
        ("9223372036854775808", nil, 9_223_372_036_854_775_808), ("1e999", nil, nil),
        ("-1e999", nil, nil),
    ])
    func aNumberIsReadAsWhatItIs(_ text: String, _ integer: Int?, _ double: Double?) throws {
        let value = try parse(text)
        #expect(value.integer == integer)
        #expect(value.double == double)
        #expect(value.line == text)
    }

    @Test(arguments: [
        "", " ", "nul", "tru e", "truefalse", "01", "-", "1.", ".5", "1e", "+1", "NaN", "Infinity",
        "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\u{1}\"", "\"\n\"", "[", "[1", "[1,",
        "[1,]", "[,1]", "[1 2]", "[1]]", "]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,",
        "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{} {}", "1 1", "'a'", "//",
        "// c\n1", "\u{FEFF}1",
    ])
    func malformedTextIsRefusedInOneLineUnderEveryRule(_ text: String) {
        for rules in Self.everyone {
            let refusal = #expect(throws: Refusal.self) { try parse(text, rules) }
            #expect(
                refusal?.description.hasPrefix("file.json: is not valid JSON at byte ") == true)
            #expect(refusal?.description.contains("\n") == false)
        }
    }

    @Test(arguments: [
        (#"{"a": 1, "a": 2}"#, "twice"), (#"[{"b": {}, "\u0062": 2}]"#, "twice"),
        (#"{"a":1,"b":2,"c":3,"a":4}"#, "\"a\" stands there twice"),
        (#""\ud800""#, "surrogate"), (#""\udc00""#, "surrogate"), (#""\ud800\u0041""#, "surrogate"),
        (#""\ud83e""#, "surrogate"),
    ])
    func whatCouldBeMeantInTwoWaysIsRefusedInFilesAndRequests(text: String, word: String) throws {
        _ = try parse(text, .lenient)
        for rules in [JSONRules.file, .client] {
            #expect(throws: Refusal.self) { try parse(text, rules) }
            #expect { try parse(text, rules) } throws: { "\($0)".contains(word) }
        }
    }

    @Test(arguments: [2, 7, 8, 9, 10, 1_000])
    func aNameThatStandsTwiceIsFoundInObjectsOfEverySize(_ count: Int) throws {
        let members = (0..<count).map { "\"n\($0)\":\($0)" }
        #expect(try parse("{\(members.joined(separator: ","))}").members?.count == count)
        for place in [0, count / 2, count - 1] {
            let text = "{\((members + ["\"n\(place)\":0"]).joined(separator: ","))}"
            #expect { try parse(text) } throws: { "\($0)".contains("\"n\(place)\"") }
            #expect(try parse(text, .lenient)["n\(place)"] == .integer(0))
        }
    }

    /// Swift takes both spellings of é for equal; other readers do not, and neither do names here.
    @Test func namesAreComparedByTheirBytes() throws {
        let text = "{\"\u{E9}\": 1, \"e\u{301}\": 2}"
        #expect(try parse(text).members?.count == 2)
        #expect(try parse(text).pythonText == text)
    }

    @Test func ofANameGivenTwiceTheLastValueCounts() throws {
        let value = try parse(#"{"a": 1, "b": 2, "a": 3}"#, .lenient)
        #expect(value["a"] == .integer(3))
        #expect(value.fields == ["a": .integer(3), "b": .integer(2)])
        #expect(value.line == #"{"a":1,"b":2,"a":3}"#)
        #expect(value.pythonText == #"{"a": 3, "b": 2}"#)
    }

    @Test func halfASurrogatePairBecomesTheReplacementCharacter() throws {
        let value = try parse(#"["\ud800","\udc00","\ud800\u0041"]"#, .lenient)
        #expect(value.array?.map(\.string) == ["\u{FFFD}", "\u{FFFD}", "\u{FFFD}A"])
    }

    @Test func bytesThatAreNotTextAreRefused() {
        for bytes: [UInt8] in [[0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0xEF, 0xBB, 0xBF, 0x31]] {
            for rules in Self.everyone {
                #expect(throws: Refusal.self) {
                    try JSONValue(parsing: bytes, subject: "file.json", rules: rules)
                }
            }
        }
    }

    @Test func depthIsLimited() throws {
        let deepest = Limits.jsonDepthMax
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        for rules in Self.everyone {
            _ = try parse(nested(deepest), rules)
            #expect(throws: Refusal.self) { try parse(nested(deepest + 1), rules) }
            #expect(throws: Refusal.self) {
                try parse(String(repeating: "{\"a\":", count: 100_000), rules)
            }
        }
    }

    @Test func theNumberOfValuesIsLimitedByWhoWroteThem() throws {
        let rules = JSONRules(depthMax: 8, valueCountMax: 5, ambiguity: .refused)
        for text in ["[1,2,[3]]", "[[[[[]]]]]", #"{"a":[1,2],"b":4}"#] {
            _ = try parse(text, rules)
        }
        for text in ["[1,2,3,4,5]", "[[],[],[],[],[]]", #"{"a":[1,2,3],"b":4}"#] {
            #expect { try parse(text, rules) } throws: { "\($0)".contains("more than 5 values") }
        }
        #expect(JSONRules.client.valueCountMax > Limits.positionsMax)
        #expect(JSONRules.client.valueCountMax < JSONRules.file.valueCountMax)
    }

    @Test(arguments: [
        ("null", "null"), ("true", "true"), ("1.50", "1.50"), (#""a\nb""#, #""a\nb""#),
        ("[1, 2]", "a list of 2"), (#"{"a": 1}"#, "an object of 1"),
    ])
    func aSummaryIsOneShortLine(_ text: String, _ summary: String) throws {
        #expect(try parse(text).summary == summary)
        #expect(JSONValue.string(String(repeating: "é", count: 10_000)).summary.count < 70)
    }
}
