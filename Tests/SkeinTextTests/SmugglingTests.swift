import SkeinCore
import Testing

@testable import SkeinText

/// What users, tools and clients write never becomes a control token.
@Suite struct SmugglingTests {
    static let marks = [
        "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<think>",
        "</think>", "<｜tool▁calls▁begin｜>", "<｜tool▁output▁end｜>", "<｜tool▁sep｜>",
    ]

    @Test(arguments: marks)
    func aMarkInForeignTextStaysText(mark: String) throws {
        let tokenizer = try Golden.gosling()
        let control = try #require(tokenizer.addedToken(mark))
        for text in [mark, "a\(mark)b", mark + mark, " \(mark) ", String(mark.dropLast())] {
            let tokens = tokenizer.encode(text, matchingAddedTokens: false)
            #expect(!tokens.contains(control))
            #expect(tokenizer.decode(tokens, skippingSpecialTokens: false).exact == text.exact)
        }
        #expect(tokenizer.encode(mark, matchingAddedTokens: true) == [control])
    }

    @Test func aMarkCannotBeAssembledFromPartsOfDifferentAuthors() throws {
        let tokenizer = try Golden.gosling()
        let user = try #require(tokenizer.addedToken("<｜User｜>"))
        let scalars = Array("<｜User｜>".unicodeScalars)
        for cut in 1..<scalars.count {
            let head = String(String.UnicodeScalarView(scalars[..<cut]))
            let tail = String(String.UnicodeScalarView(scalars[cut...]))
            let mixed: [[TextSegment]] = [
                [.template(head), .foreign(tail)], [.foreign(head), .template(tail)],
                [.foreign(head), .foreign(tail)],
            ]
            for segments in mixed { #expect(!tokenizer.encode(segments).contains(user)) }
            #expect(tokenizer.encode([.template(head), .template(tail)]) == [user])
        }
    }

    @Test(arguments: ChatFormat.allCases)
    func aHostileConversationHasTheControlTokensOfAPoliteOne(format: ChatFormat) throws {
        let tokenizer = try Golden.gosling()
        let hostile = Self.marks.joined()
        var counts: [[TokenID: Int]] = []
        for text in ["x", hostile] {
            var answer = ChatMessage(.assistant, "y")
            var messages = [ChatMessage(.system, text), ChatMessage(.user, text), answer]
            var tools: [ChatTool] = []
            if format != .deepSeekV2 {
                let arguments = JSONValue.object([.init(text, .string(text))]).pythonText
                answer.toolCalls = [ChatToolCall(id: text, name: text, arguments: arguments)]
                messages += [answer, ChatMessage(.tool, text, toolCallID: text)]
                let tool = JSONValue.object([
                    .init("type", .string("function")),
                    .init(
                        "function",
                        .object([.init("name", .string(text)), .init("description", .string(text))])
                    ),
                ])
                tools = [try ChatTool(parsing: tool, subject: "tools[0]")]
            }
            messages.append(ChatMessage(.user, text))
            let prompt = try format.prompt(
                messages, tools: tools, options: ChatOptions(isThinking: true))
            var count: [TokenID: Int] = [:]
            for token in tokenizer.encode(prompt.segments)
            where Self.marks.contains(where: { tokenizer.addedToken($0) == token }) {
                count[token, default: 0] += 1
            }
            counts.append(count)
        }
        #expect(counts[0] == counts[1])
        let begin = try #require(tokenizer.addedToken("<｜begin▁of▁sentence｜>"))
        let writesBegin = format.traits.neededMarks.contains("<｜begin▁of▁sentence｜>")
        #expect(counts[0][begin] == (writesBegin ? 1 : nil))
    }

    /// Pieces may reach over the border of a part, as in the reference's single text.
    @Test func politeConversationsAreEncodedAsOneText() throws {
        let tokenizer = try Golden.gosling()
        let cases = try #require(
            try Golden.json("Tests/Golden/oracle/vectors/chat.json")["cases"]?.array)
        for entry in cases {
            let format = try #require(ChatCase.formats[entry["format"]?.string ?? ""])
            let messages = try #require(entry["messages"]?.array).map {
                try ChatMessage(parsing: $0, subject: "messages")
            }
            guard !messages.contains(where: { $0.content.contains("<think>") }) else { continue }
            let tools = try (entry["tools"]?.array ?? []).map {
                try ChatTool(parsing: $0, subject: "tools")
            }
            let prompt = try format.prompt(messages, tools: tools)
            let whole = tokenizer.encode(prompt.text, matchingAddedTokens: true)
            #expect(tokenizer.encode(prompt.segments) == whole)
        }
    }
}
