import SkeinCore
import Testing

@testable import SkeinText

/// The one reader of answers, from tokens to pieces.
@Suite struct AnswerReaderTests {
    private static let call = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>"
    private static let callEnd = "<｜tool▁call▁end｜><｜tool▁calls▁end｜>"

    /// Reads an answer to a chat of DeepSeek-V3.1's, given as text with its marks.
    private static func read(
        _ answer: String, isThinking: Bool = false, offersTools: Bool = false,
        isChat: Bool = true, _ change: (inout AnswerReader.Options) -> Void = { _ in }
    ) async throws -> (answer: ParsedAnswer, reader: AnswerReader) {
        let setup = try await ConstraintRig.setup.value
        let tool = #"{"type":"function","function":{"name":"f"}}"#
        let tools =
            offersTools
            ? [
                try ChatTool(
                    parsing: JSONValue(parsing: tool, subject: "tool"), subject: "tool")
            ] : []
        let prompt = try ChatFormat.deepSeekV31.prompt(
            [ChatMessage(.user, "?")], tools: tools, options: ChatOptions(isThinking: isThinking))
        var options = AnswerReader.Options(stopTokens: setup.endTokens)
        change(&options)
        var reader = try AnswerReader(
            setup, answering: isChat ? prompt : nil, tools: tools, options: options)
        var pieces: [AnswerPiece] = []
        for token in setup.tokenizer.encode(answer, matchingAddedTokens: true) {
            pieces += reader.push(token)
        }
        return (ParsedAnswer(pieces + reader.finish()), reader)
    }

    @Test(arguments: [
        ("say STOP it</think>first STOP last", "say STOP it", "first ", true),
        ("STOP</think>no end", "STOP", "no end", false),
        ("STOP", "STOP", "", false),
        ("a</think>b ST", "a", "b ST", false),
    ])
    func stopStringsActOnContentAlone(
        text: String, reasoning: String, content: String, isStopped: Bool
    ) async throws {
        let (answer, reader) = try await Self.read(text, isThinking: true) {
            $0.stopStrings = ["STOP"]
        }
        #expect(answer.reasoning == reasoning && reader.isStopped == isStopped)
        #expect(answer.content == content)
        #expect(reader.stopString == (isStopped ? "STOP" : nil))
    }

    @Test func aStopStringInArgumentsIsNone() async throws {
        let text = "one" + Self.call + #"{"x": "STOP"}"# + Self.callEnd + "two STOP three"
        let (answer, reader) = try await Self.read(text, offersTools: true) {
            $0.stopStrings = ["STOP", "onef"]
        }
        #expect(answer.content == "onetwo " && answer.arguments == [#"{"x": "STOP"}"#])
        #expect(reader.isStopped && reader.hasWholeCalls)
    }

    @Test func theStopStringIsKeptWhereItIsAskedFor() async throws {
        let (answer, _) = try await Self.read("a STOP b") {
            $0.stopStrings = ["STOP"]
            $0.includesStopString = true
        }
        #expect(answer.content == "a STOP")
    }

    @Test(arguments: [true, false])
    func controlTokensAreShownOnlyWhereTheyAreAskedFor(_ isChat: Bool) async throws {
        let text = "a<｜Assistant｜>b<｜▁pad▁｜>c<｜User｜>d<｜tool▁sep｜>e<｜tool▁output▁begin｜>"
        for offersTools in [false, true] {
            let (hidden, _) = try await Self.read(text, offersTools: offersTools, isChat: isChat)
            #expect(hidden.content == "abcde")
            let (shown, _) = try await Self.read(
                text, offersTools: offersTools, isChat: isChat
            ) { $0.showsControlTokens = true }
            #expect(shown.content == text)
        }
    }

    /// Marks of thinking that come as tokens switch wherever they stand; in a plain text they are
    /// text.
    @Test(arguments: [
        (true, "a<think>b</think>c", "ab", "c"), (true, "a</think>b</think>c", "a", "bc"),
        (false, "<think>\na</think>b", "\na", "b"), (false, "a</think>b", "", "ab"),
        (false, "\n<think>a", "a", ""), (false, "a<think>b</think>c", "b", "ac"),
    ])
    func marksOfThinkingAreNeverText(
        isThinking: Bool, text: String, reasoning: String, content: String
    ) async throws {
        let (answer, _) = try await Self.read(text, isThinking: isThinking)
        #expect(answer.reasoning == reasoning && answer.content == content)
        let (plain, _) = try await Self.read(text, isChat: false)
        #expect(plain.content == text && plain.reasoning.isEmpty)
    }

    @Test func theAnswerEndsWithTheLastCallThatIsWanted() async throws {
        let text = Self.call + "{}<｜tool▁call▁end｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{}"
        let (answer, reader) = try await Self.read(text, offersTools: true) { $0.callsMax = 1 }
        #expect(answer.names == ["f"] && answer.endedCount == 1)
        #expect(reader.isStopped && reader.stopString == nil)
    }

    @Test(arguments: [
        (#"{"x": 1}"#, callEnd, true), (#"{"x": 1}"#, "", true), (#"{"x": "#, "", false),
        ("", callEnd, true),
    ])
    func aCallThatBreaksOffIsNotWhole(
        arguments: String, end: String, isWhole: Bool
    ) async throws {
        let (answer, reader) = try await Self.read(
            Self.call + arguments + end, offersTools: true)
        #expect(reader.hasWholeCalls == isWhole)
        #expect(answer.arguments == [arguments.isEmpty ? "{}" : arguments])
        #expect(answer.endedCount == (isWhole ? 1 : 0) && answer.content.isEmpty)
    }

    /// What is no call comes back as text, without its control tokens.
    @Test func whatIsNoCallIsContent() async throws {
        let text = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>{\"name\": \"f\"}" + Self.callEnd
        let (answer, reader) = try await Self.read(text, offersTools: true)
        #expect(answer.content == "{\"name\": \"f\"}" && answer.names.isEmpty)
        #expect(!reader.hasWholeCalls)
    }

    @Test func aFolderWithoutTokenizerHasNoText() throws {
        #expect(try TextSetup.inFolder(Golden.path("Tests/Golden/oracle/v3")) == nil)
        #expect(try TextSetup.inFolder(Golden.path("cluster/models/gosling")) != nil)
    }
}
