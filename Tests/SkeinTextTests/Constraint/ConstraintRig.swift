import Foundation
import SkeinCore
import Testing

@testable import SkeinText

/// Draws random answers under a constraint, with the bundled model's tokenizer.
struct ConstraintRig {
    /// How a walk ended.
    enum Ending: Equatable {
        case complete
        case cut
        case stuck(Refusal)
    }

    static let setup = Task {
        try Tokenizer.fromFolder(
            URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
                .appending(path: "cluster/models/gosling").path())
    }

    let setup: TextSetup
    let constraint: AnswerConstraint

    static let vocabularySize = 4_096

    init(_ demand: AnswerDemand) async throws {
        setup = try await Self.setup.value
        constraint = try ConstraintCache(
            setup.tokenizer, vocabularySize: Self.vocabularySize, endTokens: setup.endTokens
        ).constraint(demand)
    }

    init(schema: JSONValue) async throws {
        try await self.init(AnswerDemand(content: .schema(schema, path: "schema")))
    }

    /// Draws tokens with equal chances among the allowed ones, and after a while rather those that
    /// lead to an end.
    func walk(seed: UInt64, tokensMax: Int = 300) -> (tokens: [TokenID], ending: Ending) {
        var chance = Chance(seed: seed)
        var tokens: [TokenID] = []
        var outcome = constraint.beginning()
        while case .goesOn(let state, let allowed) = outcome {
            guard tokens.count < tokensMax else { return (tokens, .cut) }
            let token = choose(allowed, state, tokens.count, &chance)
            tokens.append(token)
            outcome = constraint.outcome(after: token, in: state)
        }
        if case .stuck(let refusal) = outcome { return (tokens, .stuck(refusal)) }
        return (tokens, .complete)
    }

    private func choose(
        _ allowed: AllowedTokens, _ state: AnswerConstraint.State, _ count: Int,
        _ chance: inout Chance
    ) -> TokenID {
        let tokens = allowed.tokens
        if state.isComplete, chance.next(below: 3) == 0,
            let end = tokens.first(where: setup.endTokens.contains)
        {
            return end
        }
        if count > 40, chance.next(below: 4) > 0 {
            for closing in ["\"", "}", "]", "@", ".", "0", ","] {
                let found = tokens.first {
                    setup.tokenizer.bytes(of: $0).elementsEqual(closing.utf8)
                }
                if let found { return found }
            }
        }
        return tokens[chance.next(below: tokens.count)]
    }

    /// The text of tokens, the end token and control tokens left out.
    func text(_ tokens: [TokenID]) -> String {
        setup.tokenizer.decode(tokens, skippingSpecialTokens: true)
    }
}

/// Random numbers that repeat (SplitMix64).
struct Chance: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func next(below bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
