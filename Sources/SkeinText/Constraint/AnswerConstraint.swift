public import SkeinCore
import Synchronization

/// What an answer must be, and which tokens may come next in it.
///
/// A constraint is a pure value of a grammar and a vocabulary; what it remembers between questions
/// only saves time. The same tokens always lead to the same answer, no matter what was
/// asked before, so that a replay draws what was drawn.
///
///     beginning ─► allowed tokens ─► a token is drawn ─► outcome(after:in:) ─► allowed tokens …
public final class AnswerConstraint: Sendable {
    /// Where an answer stands.
    public struct State: Hashable, Sendable {
        let inner: GrammarState
    }

    /// What follows a token.
    public enum Outcome: Equatable, Sendable {
        /// One of these tokens must be drawn next.
        case goesOn(State, AllowedTokens)
        /// The answer is whole, and nothing may follow.
        case complete
        /// No token can follow, and the answer is not whole.
        case stuck(Refusal)
    }

    private let grammar: ByteGrammar
    private let trie: TokenTrie
    private let vocabularySize: Int
    private let endTokens: Set<TokenID>
    private let tokenBytes: @Sendable (TokenID) -> [UInt8]
    private let memory: Mutex<GrammarMemory>

    init(
        _ grammar: ByteGrammar, trie: TokenTrie, vocabularySize: Int, endTokens: Set<TokenID>,
        tokenBytes: @escaping @Sendable (TokenID) -> [UInt8]
    ) {
        self.grammar = grammar
        self.trie = trie
        self.vocabularySize = vocabularySize
        self.endTokens = endTokens.filter { (0..<vocabularySize).contains(Int($0.rawValue)) }
        self.tokenBytes = tokenBytes
        memory = Mutex(GrammarMemory(grammar))
    }

    /// What may come first; may take as long as a walk over the whole vocabulary.
    public func beginning() -> Outcome {
        memory.withLock { outcome(grammar.beginning, &$0) }
    }

    /// What follows a token; may take as long as a walk over the whole vocabulary.
    public func outcome(after token: TokenID, in state: State) -> Outcome {
        memory.withLock { memory in
            guard let next = self.state(after: token, in: state, &memory) else {
                return .stuck(Self.strayToken(token))
            }
            return outcome(next, &memory)
        }
    }

    /// What follows a token, where that is known already.
    ///
    /// - Returns: `nil` where it has to be worked out, or somebody is just doing so; never waits.
    public func knownOutcome(after token: TokenID, in state: State) -> Outcome? {
        memory.withLockIfAvailable { memory -> Outcome? in
            guard let next = self.state(after: token, in: state, &memory) else { return nil }
            if next.isOver { return next.isComplete ? .complete : nil }
            return memory.allowed(in: next).map { .goesOn(State(inner: next), $0) }
        } ?? nil
    }

    private func state(
        after token: TokenID, in state: State, _ memory: inout GrammarMemory
    ) -> GrammarState? {
        if endTokens.contains(token) {
            return state.inner.isComplete ? GrammarState.over : nil
        }
        if let next = grammar.state(after: token, in: state.inner) { return next }
        return memory.state(after: tokenBytes(token), in: state.inner)
    }

    private func outcome(_ state: GrammarState, _ memory: inout GrammarMemory) -> Outcome {
        if state.isOver {
            return state.isComplete ? .complete : .stuck(Self.noToken)
        }
        if let allowed = memory.allowed(in: state) { return .goesOn(State(inner: state), allowed) }
        var words = AllowedTokens.noBits(vocabularySize)
        memory.walk(trie, from: state, into: &words)
        let ends = state.isComplete ? Array(endTokens) : []
        for token in grammar.controlTokens(in: state) + ends
        where Int(token.rawValue) < vocabularySize {
            words[Int(token.rawValue) >> 6] |= 1 << (UInt64(token.rawValue) & 63)
        }
        let allowed = AllowedTokens(vocabularySize: vocabularySize, bits: words)
        guard !allowed.isEmpty else { return .stuck(Self.noToken) }
        memory.remember(allowed, in: state)
        return .goesOn(State(inner: state), allowed)
    }

    private static let noToken = Refusal(
        "constraint", "no token of the vocabulary can follow, and the answer is not whole")

    private static func strayToken(_ token: TokenID) -> Refusal {
        Refusal("constraint", "token \(token) was drawn, which was not allowed")
    }
}

extension AnswerConstraint.State {
    /// Whether the answer may end here.
    public var isComplete: Bool { inner.isComplete }
}
