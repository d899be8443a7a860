public import SkeinCore
import Synchronization

/// Makes constraints for one model's vocabulary, and keeps the latest for requests
/// that ask for the same form.
public final class ConstraintCache: Sendable {
    private struct Kept {
        var trie: TokenTrie?
        /// The latest last.
        var constraints: [(demand: AnswerDemand, constraint: AnswerConstraint)] = []
    }

    private let tokenizer: Tokenizer
    private let vocabularySize: Int
    private let endTokens: Set<TokenID>
    private let kept = Mutex(Kept())

    /// - Parameters:
    ///   - vocabularySize: rows of the model's head.
    ///   - endTokens: tokens that end an answer; a constrained one may end where it is whole.
    public init(_ tokenizer: Tokenizer, vocabularySize: Int, endTokens: Set<TokenID>) {
        self.tokenizer = tokenizer
        self.vocabularySize = vocabularySize
        self.endTokens = endTokens
    }

    /// The constraint that meets a demand.
    ///
    /// - Throws: a refusal that names the keyword which cannot be kept to.
    public func constraint(_ demand: AnswerDemand) throws(Refusal) -> AnswerConstraint {
        let known = kept.withLock { kept -> AnswerConstraint? in
            guard let place = kept.constraints.firstIndex(where: { $0.demand == demand }) else {
                return nil
            }
            let entry = kept.constraints.remove(at: place)
            kept.constraints.append(entry)
            return entry.constraint
        }
        if let known { return known }
        let constraint = try made(demand)
        kept.withLock { kept in
            kept.constraints.append((demand, constraint))
            if kept.constraints.count > Limits.constraintsKeptMax {
                kept.constraints.removeFirst()
            }
        }
        return constraint
    }

    private func made(_ demand: AnswerDemand) throws(Refusal) -> AnswerConstraint {
        var budget: ThinkingBudget?
        if let most = demand.thinkingTokensMax, demand.reasoning != .absent {
            budget = try ThinkingBudget(demand, most, tokenizer: tokenizer)
        }
        if demand.isFree {
            return try AnswerConstraint(budget, vocabularySize: vocabularySize)
        }
        var writer = AnswerGrammar(tokenizer)
        let grammar = try writer.grammar(demand)
        return AnswerConstraint(
            grammar, trie: trie(), vocabularySize: vocabularySize, endTokens: endTokens,
            budget: budget,
            tokenBytes: { [tokenizer] in tokenizer.isAdded($0) ? [] : tokenizer.bytes(of: $0) })
    }

    /// The vocabulary by its bytes, sorted once.
    private func trie() -> TokenTrie {
        kept.withLock { kept in
            let trie = kept.trie ?? TokenTrie(tokenizer, vocabularySize: vocabularySize)
            kept.trie = trie
            return trie
        }
    }
}
