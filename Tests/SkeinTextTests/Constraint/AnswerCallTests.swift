import SkeinCore
import Testing

@testable import SkeinText

/// Calls that an answer must make: in every chat format the parser finds them, whole and with
/// arguments that fulfil the tool's parameters.
@Suite struct AnswerCallTests {
    private static let definitions = [
        #"{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","#
            + #""properties":{"city":{"type":"string","maxLength":12},"days":{"type":"integer","#
            + #""minimum":1,"maximum":14},"unit":{"type":"string","enum":["celsius","12"]},"#
            + #""places":{"type":"array","items":{"type":"string","maxLength":9},"maxItems":2}},"#
            + #""required":["city","unit"]}}}"#,
        ##"{"type":"function","function":{"name":"add","parameters":{"properties":{"##
            + ##""left":{"$ref":"#/$defs/n"},"right":{"$ref":"#/$defs/n"}},"##
            + ##""required":["left","right"],"$defs":{"n":{"type":"number"}}}}}"##,
        #"{"type":"function","function":{"name":"now"}}"#,
    ]

    private static func tools() throws -> [ChatTool] {
        try definitions.map {
            try ChatTool(parsing: JSONValue(parsing: $0, subject: "tool"), subject: "tool")
        }
    }

    private static func demand(
        _ tools: [ChatTool], _ format: ChatFormat, countMax: Int = 3
    ) -> AnswerDemand {
        let calls = AnswerDemand.Calls(
            tools: tools.map { ($0, "tools") }, countMax: countMax)
        return AnswerDemand(content: nil, calls: calls, format: format)
    }

    @Test(arguments: [
        ChatFormat.deepSeekV3, .deepSeekR1, .deepSeekV31, .deepSeekV32, .kimiK2, .kimiK25,
        .glm47Flash, .glm52, .mistralLarge3,
    ])
    func theParserFindsWholeCallsInEveryFormat(_ format: ChatFormat) async throws {
        let tools = try Self.tools()
        // Without parameters a tool takes any object, which may take long to end.
        let rig = try await ConstraintRig(Self.demand(Array(tools.prefix(2)), format))
        var callCount = 0
        for seed in 0..<60 {
            let (tokens, ending) = rig.walk(seed: UInt64(seed), tokensMax: 500)
            guard ending == .complete else {
                #expect(ending == .cut)
                continue
            }
            let text = rig.setup.tokenizer.decode(
                tokens.filter { !rig.setup.endTokens.contains($0) }, skippingSpecialTokens: false)
            let calls = Self.calls(text, format, tools)
            #expect((1...3).contains(calls.count), "\(text)")
            callCount += calls.count
            for call in calls {
                let tool = try #require(tools.first { $0.name == call.name }, "\(text)")
                let fault = SchemaChecker(root: tool.parameters).fault(in: call.arguments)
                #expect(fault == nil, "\(text)")
            }
        }
        #expect(callCount > 10)
    }

    @Test(arguments: [ChatFormat.deepSeekV31, .kimiK2])
    func marksInsideArgumentsDoNotEndACall(_ format: ChatFormat) async throws {
        let text =
            #"{"type":"function","function":{"name":"say","parameters":{"type":"object","#
            + #""properties":{"text":{"type":"string","pattern":"^<[|｜]tool.call.end[|｜]>$"}},"#
            + #""required":["text"]}}}"#
        let tool = try ChatTool(
            parsing: JSONValue(parsing: text, subject: "tool"), subject: "tool")
        let rig = try await ConstraintRig(Self.demand([tool], format, countMax: 1))
        for seed in 0..<10 {
            let (tokens, ending) = rig.walk(seed: UInt64(seed))
            #expect(ending == .complete)
            let text = rig.setup.tokenizer.decode(tokens, skippingSpecialTokens: false)
            let calls = Self.calls(text, format, [tool])
            #expect(calls.count == 1)
            let fault = SchemaChecker(root: tool.parameters).fault(in: calls[0].arguments)
            #expect(fault == nil, "\(text)")
        }
    }

    @Test(arguments: [false, true])
    func theValueComesAfterTheEndOfTheThinking(_ isSpelt: Bool) async throws {
        let schema = try JSONValue(parsing: #"{"const":7}"#, subject: "schema")
        let rig = try await ConstraintRig(
            AnswerDemand(content: .schema(schema, path: "schema"), reasoning: .open))
        let tokenizer = rig.setup.tokenizer
        let thought = tokenizer.encode("Well </th", matchingAddedTokens: false)
        let end = tokenizer.encode("</think>", matchingAddedTokens: !isSpelt)
        let answer = tokenizer.encode("\n\n7", matchingAddedTokens: false)
        var outcome = rig.constraint.beginning()
        for token in thought + end + answer {
            guard case .goesOn(let state, let allowed) = outcome else { break }
            #expect(allowed.contains(token), "\(token)")
            #expect(rig.setup.endTokens.isDisjoint(with: allowed.tokens))
            outcome = rig.constraint.outcome(after: token, in: state)
        }
        #expect(outcome == .complete)
    }

    @Test func anAnswerMayBeEitherCallsOrAValue() async throws {
        let tools = try Self.tools()
        let schema = try JSONValue(parsing: #"{"enum":["yes","no"]}"#, subject: "schema")
        var demand = Self.demand([tools[1]], .deepSeekV31, countMax: 1)
        demand.content = .schema(schema, path: "schema")
        let rig = try await ConstraintRig(demand)
        guard case .goesOn(_, let allowed) = rig.constraint.beginning() else {
            Issue.record("an answer can begin")
            return
        }
        let callsBegin = try #require(rig.setup.tokenizer.addedToken("<｜tool▁calls▁begin｜>"))
        let quote = rig.setup.tokenizer.encode("\"", matchingAddedTokens: false)[0]
        #expect(allowed.contains(callsBegin) && allowed.contains(quote))
    }

    private static func calls(
        _ text: String, _ format: ChatFormat, _ tools: [ChatTool]
    ) -> [(name: String, arguments: String)] {
        guard let form = format.traits.callForm else { return [] }
        var parser = ToolCallParser(form, tools: tools)
        var calls: [(name: String, arguments: String)] = []
        var ended = 0
        for piece in parser.push(text) + parser.finish() {
            switch piece {
            case .callBegin(_, let name): calls.append((name, ""))
            case .callArguments(let index, let text): calls[index].arguments += text
            case .callEnd: ended += 1
            case .content(let text): #expect(text.allSatisfy { $0.isWhitespace }, "\(text)")
            case .reasoning: Issue.record("thinking in calls")
            }
        }
        #expect(ended == calls.count && !parser.hasOpenCall)
        return calls
    }
}
