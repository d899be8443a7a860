import Foundation
import SkeinCore
import Testing

@testable import SkeinBench

@Suite struct PromptFileTests {
    private static func read(_ text: String, needsLength: Bool = false) throws -> PromptFile {
        let file = try WrittenFile(text)
        defer { file.remove() }
        return try PromptFile(path: file.path, needsLength: needsLength)
    }

    /// A row of a published data set and what is made of it.
    struct Row: Sendable {
        let text: String
        let prompt: String
        var answer: String?
        var count: Int?
    }

    @Test(arguments: [
        Row(text: #"{"prompt": "a"}"#, prompt: "a"),
        Row(text: #"{"prompt": "a", "output_len": 9}"#, prompt: "a", count: 9),
        Row(text: #"{"prompt": "a", "output_len": null}"#, prompt: "a"),
        Row(text: #"{"prompt": "a", "output_tokens": 9.0}"#, prompt: "a", count: 9),
        Row(text: #"{"prompt": "a", "completion": "b"}"#, prompt: "a", answer: "b"),
        Row(text: #"{"question": "a", "answer": "b"}"#, prompt: "a", answer: "b"),
        Row(text: #"{"instruction": "a", "input": "", "output": "b"}"#, prompt: "a", answer: "b"),
        Row(
            text: #"{"instruction": "a", "input": "c", "output": "b"}"#, prompt: "a\n\nc",
            answer: "b"),
        Row(text: #"{"text": "a"}"#, prompt: "a"),
        Row(text: #"{"messages": [{"role": "user", "content": "a"}]}"#, prompt: "a"),
        Row(
            text: """
                {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": \
                [{"type": "text", "text": "a"}]}, {"role": "assistant", "content": "b"}]}
                """, prompt: "a", answer: "b"),
        Row(
            text: """
                {"conversations": [{"from": "gpt", "value": "x"}, {"from": "human", "value": "a"}, \
                {"from": "gpt", "value": "b"}, {"from": "human", "value": "c"}]}
                """, prompt: "a", answer: "b"),
        Row(
            text: #"{"conversation": [{"value": "a"}, {"value": "b"}]}"#, prompt: "a", answer: "b"),
        Row(text: #"{"turns": ["a", "c"]}"#, prompt: "a"),
    ])
    func aRowOfEveryUsualFormIsRead(_ row: Row) throws {
        let expected = PromptFile.Entry(
            prompt: row.prompt, outputTokenCount: row.count, answer: row.answer, place: "line 1")
        #expect(try Self.read(row.text).entries == [expected])
        // The same row in a list, and beside others with a line break of Windows.
        let listed = try Self.read("[\(row.text)]").entries
        #expect(listed.map(\.prompt) == [row.prompt])
        #expect(try Self.read(row.text + "\r\n\n" + row.text).entries.count == 2)
    }

    @Test(arguments: [
        ("4", "found 4, expected an object"), ("[]", "found a list of 0"),
        ("{}", "found no prompt"),
        ("{", "not valid JSON"), (#"{"prompt": 4}"#, "prompt: found 4, expected a text"),
        (#"{"prompt": ""}"#, "prompt: found \"\""), (#"{"prompt": " \n"}"#, "prompt: found"),
        (#"{"prompt": "a", "output_len": 0}"#, "output_len: found 0"),
        (#"{"prompt": "a", "output_len": "x"}"#, "output_len: found \"x\""),
        (#"{"prompt": "a", "prompt": "b"}"#, "twice"),
        (#"{"conversations": {}}"#, "conversations: found an object of 0"),
        (#"{"conversations": []}"#, "conversations: has no turn of human or user"),
        (#"{"conversations": [{"from": "gpt", "value": "a"}]}"#, "conversations: has no turn"),
        (#"{"conversations": [1, 2]}"#, "conversations[0]: found 1"),
        (#"{"conversations": [{"value": "a"}, {"value": 3}]}"#, "conversations[1]: found 3"),
        (#"{"messages": [{"role": "user", "content": null}]}"#, "messages[0]: found null"),
    ])
    func anOddRowIsSkippedAndCounted(_ row: String, _ reason: String) throws {
        let good = #"{"prompt": "a", "output_len": 5}"#
        let file = try Self.read("\(good)\n\(row)\n\(good)\n")
        #expect(file.entries.count == 2 && file.rows.usedCount == 2)
        #expect(file.rows.skippedCount == 1)
        let told = try #require(file.rows.skipReasons.first)
        #expect(told.hasPrefix("line 2: ") && told.contains(reason), "\(told)")
        #expect(file.rows.warning?.contains("1 of 3 rows were skipped: line 2") == true)
    }

    @Test func onlyTheFirstReasonsAreTold() throws {
        let rows = (0..<50).map { $0 % 10 == 0 ? #"{"prompt": "a"}"# : "{}" }
        let file = try Self.read(rows.joined(separator: "\n"))
        #expect(file.rows.skippedCount == 45 && file.rows.skipReasons.count == 3)
        #expect(file.rows.warning?.hasSuffix("; …") == true)
    }

    @Test(arguments: ["", "\n \n", "[]", "{}", "[1, 2]", "[{}]", "no", "{\"a\": ", "[", "[{}"])
    func aFileWithoutARowOfUseIsOneClearLine(_ text: String) throws {
        let refusal = #expect(throws: Refusal.self) { try Self.read(text) }
        let line = try #require(refusal?.description)
        #expect(line.contains("prompts-") && !line.contains("\n"), "\(line)")
    }

    @Test func aRowThatTellsNoLengthIsSkippedWhereTheLengthIsTheFiles() throws {
        let text = """
            [{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
             {"conversations": [{"from": "human", "value": "alone"}]},
             {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": ""}]}]
            """
        let strict = try Self.read(text, needsLength: true)
        #expect(strict.entries.map(\.answer) == ["b"] && strict.rows.skippedCount == 2)
        #expect(try Self.read(text).entries.count == 3)
    }

    @Test func aFileThatIsNotThereIsNamed() {
        let refusal = #expect(throws: Refusal.self) {
            try PromptFile(path: "/no/such/file", needsLength: false)
        }
        #expect(refusal?.subject == "/no/such/file")
    }
}
