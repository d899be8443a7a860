import SkeinCore
import Testing

@testable import SkeinText

/// Thinking that has a bound ends with its mark, and the answer goes on after it.
@Suite struct ThinkingBudgetTests {
    private static func demand(
        _ tokensMax: Int, content: AnswerDemand.Content? = nil,
        reasoning: AnswerDemand.Reasoning = .open
    ) -> AnswerDemand {
        var demand = AnswerDemand(content: content, reasoning: reasoning)
        demand.thinkingTokensMax = tokensMax
        return demand
    }

    /// What may come after each of some tokens.
    private static func allowed(_ rig: ConstraintRig, _ tokens: [TokenID]) -> [AllowedTokens] {
        var found: [AllowedTokens] = []
        var outcome = rig.constraint.beginning()
        for token in tokens {
            guard case .goesOn(let state, let allowed) = outcome else { break }
            found.append(allowed)
            outcome = rig.constraint.outcome(after: token, in: state)
            let known = rig.constraint.knownOutcome(after: token, in: state)
            #expect(known == nil || known == outcome)
        }
        if case .goesOn(_, let allowed) = outcome { found.append(allowed) }
        return found
    }

    @Test(arguments: [0, 1, 3])
    func theEndIsForcedWhereTheTokensAreUsedUp(tokensMax: Int) async throws {
        let rig = try await ConstraintRig(Self.demand(tokensMax))
        let end = try #require(rig.setup.tokenizer.addedToken("</think>"))
        let words = rig.setup.tokenizer.encode("Let me see what", matchingAddedTokens: false)
        let thought = Array(words.prefix(tokensMax))
        #expect(thought.count == tokensMax)
        let allowed = Self.allowed(rig, thought + [end] + thought + [end, 1, 1])
        let everything = AllowedTokens.all(ConstraintRig.vocabularySize)
        let forced = AllowedTokens(vocabularySize: ConstraintRig.vocabularySize, tokens: [end])
        let free = [AllowedTokens](repeating: everything, count: tokensMax)
        #expect(allowed.prefix(tokensMax + 1) == free + [forced])
        // After the thinking nothing is forbidden, its end mark and the end of the answer included.
        #expect(allowed.dropFirst(tokensMax + 1).allSatisfy { $0 == everything })
        #expect(allowed.count == 2 * tokensMax + 5)
    }

    @Test func thinkingThatEndsEarlierIsLeftAlone() async throws {
        let rig = try await ConstraintRig(Self.demand(2))
        let end = try #require(rig.setup.tokenizer.addedToken("</think>"))
        let allowed = Self.allowed(rig, [100, end, 101, 102, 103])
        let everything = AllowedTokens.all(ConstraintRig.vocabularySize)
        #expect(allowed == [AllowedTokens](repeating: everything, count: 6))
    }

    @Test func thinkingThatTheModelOpensIsCountedFromItsMark() async throws {
        let rig = try await ConstraintRig(Self.demand(1, reasoning: .optional))
        let tokenizer = rig.setup.tokenizer
        let (open, end) = try (
            #require(tokenizer.addedToken("<think>")), #require(tokenizer.addedToken("</think>"))
        )
        let forced = AllowedTokens(vocabularySize: ConstraintRig.vocabularySize, tokens: [end])
        #expect(Self.allowed(rig, [open, 100]).last == forced)
        #expect(!Self.allowed(rig, [100, 101, 102]).contains(forced))
    }

    @Test(arguments: 0..<10)
    func theFormOfTheAnswerIsKeptAfterTheThinking(seed: Int) async throws {
        let schema = try JSONValue(
            parsing: #"{"type":"array","items":{"enum":[1,2]},"maxItems":3}"#, subject: "schema")
        let rig = try await ConstraintRig(
            Self.demand(5, content: .schema(schema, path: "schema")))
        let end = try #require(rig.setup.tokenizer.addedToken("</think>"))
        let (tokens, ending) = rig.walk(seed: UInt64(seed))
        #expect(ending == .complete)
        let place = try #require(tokens.firstIndex(of: end))
        #expect(place <= 5)
        let answer = rig.text(Array(tokens[(place + 1)...]))
        #expect(SchemaChecker(root: schema).fault(in: answer) == nil, "\(answer)")
    }
}
