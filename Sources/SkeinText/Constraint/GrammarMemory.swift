import SkeinCore

/// What was worked out of a grammar so far: states by number, where bytes lead, allowed tokens.
///
/// Everything in it can be forgotten at any time; only its speed changes. So its size has a bound.
struct GrammarMemory: Sendable {
    private static let notAllowed: Int32 = -1
    private static let noRow: Int32 = -1

    private let grammar: ByteGrammar
    private var numbers: [GrammarState: Int32] = [:]
    private var states: [GrammarState] = []
    /// Where each state's row begins in `targets`.
    private var rows: [Int32] = []
    /// The work that each state's row took, and the last walk that met it.
    private var costs: [Int32] = []
    private var walks: [Int32] = []
    /// 256 state numbers a row: where each byte leads.
    private var targets: [Int32] = []
    private var walkNumber: Int32 = 0
    private var allowedSets: [GrammarState: AllowedTokens] = [:]
    private var allowedOrder: [GrammarState] = []

    init(_ grammar: ByteGrammar) { self.grammar = grammar }

    /// The allowed tokens of a state, where they are known.
    func allowed(in state: GrammarState) -> AllowedTokens? { allowedSets[state] }

    /// Keeps the allowed tokens of a state; the oldest are given up for it.
    mutating func remember(_ allowed: AllowedTokens, in state: GrammarState) {
        if allowedOrder.count >= Limits.constraintAllowedSetsMax {
            let oldest = allowedOrder.prefix(Limits.constraintAllowedSetsMax / 2)
            for old in oldest { allowedSets[old] = nil }
            allowedOrder.removeFirst(oldest.count)
        }
        if allowedSets.updateValue(allowed, forKey: state) == nil { allowedOrder.append(state) }
    }

    /// Where bytes lead; `nil` where they may not come.
    mutating func state(after bytes: [UInt8], in state: GrammarState) -> GrammarState? {
        guard !bytes.isEmpty else { return nil }
        forgetIfLarge()
        var number = number(of: state)
        for byte in bytes {
            number = targets[row(of: number) + Int(byte)]
            guard number >= 0 else { return nil }
        }
        return states[Int(number)]
    }

    /// Sets the bits of a vocabulary's tokens whose bytes may come next.
    ///
    /// A walk does a bounded amount of work: past it, only branches whose states it has met before
    /// are followed. The work counts whether it was done before or not, so that the outcome does
    /// not depend on what was asked earlier. First bytes are always followed, so some token stays.
    mutating func walk(
        _ trie: TokenTrie, from state: GrammarState, into words: inout [UInt64]
    ) {
        forgetIfLarge()
        walkNumber += 1
        var budget = Int32(Limits.constraintWalkStepsMax)
        let start = number(of: state)
        var way = [Int](repeating: row(of: start), count: trie.longest + 1)
        walks[Int(start)] = walkNumber
        var branch = 0
        while branch < trie.bytes.count {
            let depth = Int(trie.depths[branch])
            let next = targets[way[depth] + Int(trie.bytes[branch])]
            guard next >= 0 else {
                branch = Int(trie.nexts[branch])
                continue
            }
            for place in trie.firstTokens[branch]..<trie.firstTokens[branch + 1] {
                let token = trie.tokens[Int(place)].rawValue
                words[Int(token) >> 6] |= 1 << (UInt64(token) & 63)
            }
            let after = Int(trie.nexts[branch])
            // A branch without branches of its own needs no row.
            guard after > branch + 1 else {
                branch = after
                continue
            }
            if walks[Int(next)] != walkNumber {
                guard budget > 0 else {
                    branch = after
                    continue
                }
                walks[Int(next)] = walkNumber
                _ = row(of: next)
                budget -= costs[Int(next)]
            }
            way[depth + 1] = Int(rows[Int(next)])
            branch += 1
        }
    }

    private mutating func number(of state: GrammarState) -> Int32 {
        if let number = numbers[state] { return number }
        let number = Int32(states.count)
        numbers[state] = number
        states.append(state)
        rows.append(Self.noRow)
        costs.append(0)
        walks.append(0)
        return number
    }

    private mutating func row(of number: Int32) -> Int {
        if rows[Int(number)] != Self.noRow { return Int(rows[Int(number)]) }
        let start = targets.count
        targets.append(contentsOf: repeatElement(Self.notAllowed, count: 256))
        rows[Int(number)] = Int32(start)
        let successors = grammar.successors(of: states[Int(number)])
        costs[Int(number)] = Int32(successors.stepCount)
        for (bytes, state) in successors.states {
            let next = self.number(of: state)
            for byte in bytes { targets[start + Int(byte)] = next }
        }
        return start
    }

    private mutating func forgetIfLarge() {
        guard states.count >= Limits.constraintStatesMax else { return }
        numbers = [:]
        states = []
        rows = []
        costs = []
        walks = []
        targets = []
    }
}
