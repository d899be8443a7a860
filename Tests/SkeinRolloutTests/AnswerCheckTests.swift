import SkeinCore
import Testing

@testable import SkeinRollout

@Suite struct AnswerCheckTests {
    private static func check(
        _ kind: AnswerCheck.Kind, _ expected: String?
    ) throws -> AnswerCheck {
        try AnswerCheck(kind, expected: expected.map { .string($0) }, place: "p line 1: answer")
    }

    @Test(arguments: [
        ("What is it? 42", 42.0), ("347 + 2 = 349", 349), ("5-3", 3), ("it is -3.", -3),
        ("= -3", -3), ("x=-3", -3), ("a - 3", 3), ("#### 1,234,567", 1_234_567),
        ("45, 51", 51), ("1,2345", 2345), ("6e-3 m", 0.006), ("2.50 $", 2.5), ("1.", 1),
        ("(7)-2", 2), ("10^3", 3), ("3e", 3), ("007", 7),
    ])
    func theLastNumberOfATextIsFound(_ text: String, _ number: Double) {
        #expect(NumberScan.last(in: text) == number)
    }

    @Test(arguments: ["", "none", "-", "e.", "½"])
    func aTextWithoutANumberHasNone(_ text: String) {
        #expect(NumberScan.last(in: text) == nil)
    }

    @Test(arguments: [
        (AnswerCheck.Kind.exact, "20 42 50", " 20 42 50\n", true),
        (.exact, "20 42 50", "20 42  50", false),
        (.numeric, "#### 72", "12 times 6 is 72", true),
        (.numeric, "72", "72 and 73", false),
        (.numeric, "72", "no number", false),
        (.numeric, "0.3333333333", "0.33333333", true),
        (.numeric, "0", "-0", true),
        (.regex, "^[0-9]+$", "123", true),
        (.regex, "answer is (?i:YES)", "The answer is yes.", true),
        (.regex, "^b", "ab", false),
        (.json, "{\"a\": [1, 2.0]}", "{\"a\":[1,2.0]}", true),
        (.json, "{\"b\": 1, \"a\": 2}", "```json\n{\"a\": 2, \"b\": 1}\n```", true),
        (.json, "[1]", "[1] or so", false),
    ])
    func anAnswerIsRightOrWrong(
        _ kind: AnswerCheck.Kind, _ expected: String, _ answer: String, _ isRight: Bool
    ) throws {
        let check = try Self.check(kind, expected)
        #expect(check.reward(of: answer) == (isRight ? 1 : 0), "\(kind): \(answer)")
    }

    @Test func anyJSONIsRightWhereTheRowHasNone() throws {
        let check = try Self.check(.json, nil)
        #expect(check.reward(of: "{}") == 1)
        #expect(check.reward(of: "{") == 0)
    }

    @Test func aNumberOfTheRowCountsAsItIsSpelt() throws {
        let check = try AnswerCheck(.numeric, expected: .number("1e2"), place: "p")
        #expect(check.reward(of: "100") == 1)
    }

    @Test(arguments: [
        (AnswerCheck.Kind.exact, nil), (.numeric, "none"), (.regex, "("), (.regex, nil),
        (.json, "{"),
    ])
    func aRowThatDoesNotSayWhatIsNeededIsRefused(_ kind: AnswerCheck.Kind, _ expected: String?) {
        #expect {
            _ = try Self.check(kind, expected)
        } throws: { error in
            "\(error)".contains("p line 1: answer")
        }
    }
}
