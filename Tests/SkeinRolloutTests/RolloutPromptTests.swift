import SkeinCore
import Testing

@testable import SkeinRollout

@Suite struct RolloutPromptTests {
    private static func read(
        _ text: String, _ fields: RolloutPrompt.Fields = .init()
    ) throws -> [RolloutPrompt] {
        try RolloutPrompt.read(Array(text.utf8), subject: "p.jsonl", fields: fields)
    }

    @Test func textsAndConversationsAreRead() throws {
        let prompts = try Self.read(
            """
            {"prompt": "1 + 1 =", "answer": 2}

            {"prompt": [{"role": "user", "content": "hello"}], "answer": null, "id": "x"}
            """)
        #expect(prompts.map(\.form).first == .text("1 + 1 ="))
        #expect(prompts[0].expected == .number("2"))
        #expect(prompts[0].value == .string("1 + 1 ="))
        #expect(prompts[1].value.array?.count == 1)
        #expect(prompts[1].expected == nil)
        #expect(prompts[1].row["id"]?.string == "x")
        #expect(prompts[1].place == "p.jsonl line 3")
    }

    @Test func fieldsMayHaveOtherNames() throws {
        let prompts = try Self.read(
            "{\"question\": \"1 + 1 =\", \"solution\": \"2\"}",
            .init(prompt: "question", answer: "solution"))
        #expect(prompts[0].form == .text("1 + 1 ="))
        #expect(prompts[0].expected?.string == "2")
    }

    @Test(arguments: [
        ("", "holds no prompts"), ("\n \n", "holds no prompts"),
        ("[1]", "line 1: found"), ("{\"prompt\": \"\"}", "line 1: prompt: found"),
        ("{\"prompt\": \"a\"}\n{\"prompt\": []}", "line 2: prompt: found"),
        ("{\"text\": \"a\"}", "found nothing"), ("{\"prompt\": \"a\"", "line 1"),
        ("{\"prompt\": 1}", "expected a text or a list of messages"),
    ])
    func aRowThatIsNoPromptIsRefusedByItsLine(_ text: String, _ wanted: String) {
        #expect {
            _ = try Self.read(text)
        } throws: { error in
            "\(error)".contains(wanted)
        }
    }
}
