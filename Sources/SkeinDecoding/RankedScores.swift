/// Scores in falling order, the lower token first on ties, sorted only as far as someone looks.
///
/// A draw looks at a few dozen of 129,280 tokens as a rule. The first ranks are found with a heap
/// in one pass; each time they do not suffice eight times as many are.
struct RankedScores {
    private var ranked: [Int32] = []
    private var heap: [Int32] = []

    /// Ranks found by the first pass.
    static let firstCount = 64

    /// Forgets the ranks of the scores before.
    mutating func reset() { ranked.removeAll(keepingCapacity: true) }

    /// The token at a rank, or `nil` beyond the last.
    ///
    /// - Parameters:
    ///   - scores: The same scores since the last reset.
    ///   - hint: Ranks that will be wanted at least.
    mutating func token(at rank: Int, of scores: [Double], hint: Int = 0) -> Int? {
        guard rank < scores.count else { return nil }
        if rank >= ranked.count {
            let wanted = max(rank + 1, hint, ranked.count * 8, Self.firstCount)
            extend(to: min(wanted, scores.count), of: scores)
        }
        return Int(ranked[rank])
    }

    private mutating func extend(to count: Int, of scores: [Double]) {
        if count > scores.count / 4 {
            heap = scores.indices.map { Int32($0) }
        } else {
            selectLargest(count, of: scores)
        }
        swap(&heap, &ranked)
        ranked.sort { left, right in
            let (a, b) = (scores[Int(left)], scores[Int(right)])
            return a > b || (a == b && left < right)
        }
    }

    /// Leaves the tokens of the `count` largest scores in `heap`, the worst of them first.
    private mutating func selectLargest(_ count: Int, of scores: [Double]) {
        heap.removeAll(keepingCapacity: true)
        for token in 0..<count { heap.append(Int32(token)) }
        for root in (0..<(count / 2)).reversed() { sink(root, of: scores) }
        var worst = scores[Int(heap[0])]
        for token in count..<scores.count where scores[token] > worst {
            heap[0] = Int32(token)
            sink(0, of: scores)
            worst = scores[Int(heap[0])]
        }
    }

    private mutating func sink(_ start: Int, of scores: [Double]) {
        var place = start
        while true {
            let left = 2 * place + 1
            guard left < heap.count else { return }
            let right = left + 1
            let child =
                right < heap.count && isWorse(heap[right], heap[left], scores) ? right : left
            guard isWorse(heap[child], heap[place], scores) else { return }
            heap.swapAt(child, place)
            place = child
        }
    }

    @inline(__always)
    private func isWorse(_ left: Int32, _ right: Int32, _ scores: [Double]) -> Bool {
        let (a, b) = (scores[Int(left)], scores[Int(right)])
        return a < b || (a == b && left > right)
    }
}
