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
        /// How far the thinking has come, where it has a bound.
        var thinking = ThinkingBudget.Progress.over
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
    private let budget: ThinkingBudget?

    /// All tokens, where only the thinking has a bound; no grammar is asked then.
    private let everything: AllowedTokens?
    private let tokenBytes: @Sendable (TokenID) -> [UInt8]
    private let memory: Mutex<GrammarMemory>

    /// - Parameter budget: The bound of the thinking, which the grammar describes too.
    init(
        _ grammar: ByteGrammar, trie: TokenTrie, vocabularySize: Int, endTokens: Set<TokenID>,
        budget: ThinkingBudget? = nil, tokenBytes: @escaping @Sendable (TokenID) -> [UInt8]
    ) {
        self.budget = budget
        everything = nil
        self.grammar = grammar
        self.trie = trie
        self.vocabularySize = vocabularySize
        self.endTokens = endTokens.filter { (0..<vocabularySize).contains(Int($0.rawValue)) }
        self.tokenBytes = tokenBytes
        memory = Mutex(GrammarMemory(grammar))
    }

    /// Bounds the thinking, and leaves everything else to the model: its end tokens too, which end
    /// the answer as they do without a constraint.
    init(_ budget: ThinkingBudget?, vocabularySize: Int) throws(Refusal) {
        self.budget = budget
        everything = AllowedTokens.all(vocabularySize)
        grammar = try ByteGrammar(
            places: [.end], start: GrammarBuilder.end, subject: "thinking_budget")
        trie = TokenTrie([])
        self.vocabularySize = vocabularySize
        endTokens = []
        tokenBytes = { _ in [] }
        memory = Mutex(GrammarMemory(grammar))
    }

    /// What may come first; may take as long as a walk over the whole vocabulary.
    public func beginning() -> Outcome {
        let thinking = budget?.beginning ?? .over
        if let everything { return bounded(.goesOn(Self.anywhere, everything), thinking) }
        return bounded(memory.withLock { outcome(grammar.beginning, &$0) }, thinking)
    }

    /// What follows a token; may take as long as a walk over the whole vocabulary.
    public func outcome(after token: TokenID, in state: State) -> Outcome {
        if let free = freeOutcome(after: token, in: state) { return free }
        let outcome = memory.withLock { memory -> Outcome in
            guard let next = self.state(after: token, in: state, &memory) else {
                return .stuck(Self.strayToken(token))
            }
            return self.outcome(next, &memory)
        }
        return bounded(outcome, budget?.progress(after: token, in: state.thinking) ?? .over)
    }

    /// What follows a token, where that is known already.
    ///
    /// - Returns: `nil` where it has to be worked out, or somebody is just doing so; never waits.
    public func knownOutcome(after token: TokenID, in state: State) -> Outcome? {
        if let free = freeOutcome(after: token, in: state) { return free }
        let outcome =
            memory.withLockIfAvailable { memory -> Outcome? in
                guard let next = self.state(after: token, in: state, &memory) else { return nil }
                if next.isOver { return next.isComplete ? .complete : nil }
                return memory.allowed(in: next).map { .goesOn(State(inner: next), $0) }
            } ?? nil
        let thinking = budget?.progress(after: token, in: state.thinking) ?? .over
        return outcome.map { bounded($0, thinking) }
    }

    /// What follows a token where no grammar is asked.
    private func freeOutcome(after token: TokenID, in state: State) -> Outcome? {
        guard let everything else { return nil }
        let thinking = budget?.progress(after: token, in: state.thinking) ?? .over
        return bounded(.goesOn(Self.anywhere, everything), thinking)
    }

    /// The one state where no grammar is asked.
    private static let anywhere = State(inner: GrammarState())

    /// The outcome with the state of the thinking, whose end is all that may come where its tokens
    /// are used up.
    private func bounded(_ outcome: Outcome, _ thinking: ThinkingBudget.Progress) -> Outcome {
        guard let budget, case .goesOn(var state, var allowed) = outcome else { return outcome }
        state.thinking = thinking
        if budget.isUsedUp(thinking), Int(budget.end.rawValue) < vocabularySize {
            allowed = AllowedTokens(vocabularySize: vocabularySize, tokens: [budget.end])
        }
        return .goesOn(state, allowed)
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
