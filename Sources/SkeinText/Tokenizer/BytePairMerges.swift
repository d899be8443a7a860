import SkeinCore

/// Byte pair encoding: joins neighbours, always the pair that was learnt first, the left one first.
struct BytePairMerges: Sendable {
    /// What joining two tokens gives, and how early that was learnt.
    struct Merge: Sendable {
        /// 0 was learnt first.
        var order: UInt32
        var product: Int32

        static let none = Merge(order: .max, product: -1)
    }

    /// Working memory that lives from piece to piece.
    struct Workspace {
        fileprivate var tokens: [Int32] = []
        fileprivate var merges: [Merge] = []
        fileprivate var next: [Int32] = []
        fileprivate var previous: [Int32] = []
        fileprivate var heap: [UInt64] = []
    }

    /// Up to this many bytes a plain search for the best pair is faster than a heap.
    static let plainBytesMax = 48

    private let byteTokens: [Int32]
    private var keys: [UInt64]
    private var values: [Merge]

    /// - Parameters:
    ///   - byteTokens: The token of each of the 256 bytes.
    ///   - capacity: How many merges will be put in, at most.
    init(byteTokens: [Int32], capacity: Int) {
        precondition(byteTokens.count == 256, "a byte has 256 values")
        self.byteTokens = byteTokens
        var size = 16
        while size < capacity * 2 { size *= 2 }
        keys = [UInt64](repeating: .max, count: size)
        values = [Merge](repeating: .none, count: size)
    }

    /// Puts a merge in; of two for the same pair the later one counts.
    mutating func insert(_ left: Int32, _ right: Int32, _ merge: Merge) {
        let key = Self.key(left, right)
        let slot = slot(of: key)
        keys[slot] = key
        values[slot] = merge
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private func slot(of key: UInt64) -> Int {
        var slot = Int((key &* 0x9E37_79B9_7F4A_7C15) >> 24) & (keys.count - 1)
        while keys[slot] != key, keys[slot] != .max { slot = (slot + 1) & (keys.count - 1) }
        return slot
    }

    private func merge(_ left: Int32, _ right: Int32) -> Merge {
        values[slot(of: Self.key(left, right))]
    }

    /// Appends the tokens of one piece.
    func encode(
        _ piece: ArraySlice<UInt8>, into tokens: inout [TokenID], workspace: inout Workspace
    ) {
        if piece.count <= Self.plainBytesMax {
            encodePlainly(piece, into: &tokens, workspace: &workspace)
        } else {
            encodeWithHeap(piece, into: &tokens, workspace: &workspace)
        }
    }

    /// The obvious way, quadratic in the length of the piece.
    func encodePlainly(
        _ piece: ArraySlice<UInt8>, into tokens: inout [TokenID], workspace: inout Workspace
    ) {
        workspace.tokens.removeAll(keepingCapacity: true)
        workspace.merges.removeAll(keepingCapacity: true)
        for byte in piece {
            let token = byteTokens[Int(byte)]
            if let last = workspace.tokens.last { workspace.merges.append(merge(last, token)) }
            workspace.tokens.append(token)
        }
        while true {
            var best = Merge.none
            var place = 0
            for (index, merge) in workspace.merges.enumerated() where merge.order < best.order {
                best = merge
                place = index
            }
            guard best.order != .max else { break }
            workspace.tokens[place] = best.product
            workspace.tokens.remove(at: place + 1)
            workspace.merges.remove(at: place)
            if place > 0 {
                let left = workspace.tokens[place - 1]
                workspace.merges[place - 1] = merge(left, best.product)
            }
            if place < workspace.merges.count {
                workspace.merges[place] = merge(best.product, workspace.tokens[place + 1])
            }
        }
        for token in workspace.tokens { tokens.append(TokenID(rawValue: token)) }
    }

    /// A list of neighbours and a heap of pairs: `n log n` for a piece of any length.
    func encodeWithHeap(
        _ piece: ArraySlice<UInt8>, into tokens: inout [TokenID], workspace: inout Workspace
    ) {
        let count = piece.count
        workspace.tokens = piece.map { byteTokens[Int($0)] }
        workspace.next = (0..<Int32(count)).map { $0 + 1 }
        workspace.previous = (0..<Int32(count)).map { $0 - 1 }
        workspace.merges = [Merge](repeating: .none, count: count)
        workspace.heap.removeAll(keepingCapacity: true)
        for place in 0..<max(count - 1, 0) { weigh(place, in: &workspace) }
        while let entry = workspace.heap.popLeast() {
            let place = Int(entry & 0xFFFF_FFFF)
            let found = workspace.merges[place]
            // A pair that has changed since it was put in has another order now, or none.
            guard UInt64(found.order) == entry >> 32, found.order != .max else { continue }
            let right = Int(workspace.next[place])
            let after = Int(workspace.next[right])
            workspace.tokens[place] = found.product
            workspace.tokens[right] = -1
            workspace.merges[right] = .none
            workspace.next[place] = Int32(after)
            if after < count {
                workspace.previous[after] = Int32(place)
                weigh(place, in: &workspace)
            } else {
                workspace.merges[place] = .none
            }
            let before = Int(workspace.previous[place])
            if before >= 0 { weigh(before, in: &workspace) }
        }
        for token in workspace.tokens where token >= 0 { tokens.append(TokenID(rawValue: token)) }
    }

    /// Looks up the pair that begins at a place and queues it.
    private func weigh(_ place: Int, in workspace: inout Workspace) {
        let left = workspace.tokens[place]
        let right = workspace.tokens[Int(workspace.next[place])]
        let found = merge(left, right)
        workspace.merges[place] = found
        if found.order != .max {
            workspace.heap.push(UInt64(found.order) << 32 | UInt64(place))
        }
    }
}

extension [UInt64] {
    /// Adds to a binary heap whose least element comes first.
    fileprivate mutating func push(_ entry: UInt64) {
        append(entry)
        var child = count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if self[parent] <= entry { break }
            self[child] = self[parent]
            child = parent
        }
        self[child] = entry
    }

    /// Takes the least element off a binary heap.
    fileprivate mutating func popLeast() -> UInt64? {
        guard let least = first, let entry = popLast() else { return nil }
        guard !isEmpty else { return least }
        var parent = 0
        while true {
            var child = parent * 2 + 1
            if child >= count { break }
            if child + 1 < count, self[child + 1] < self[child] { child += 1 }
            if entry <= self[child] { break }
            self[parent] = self[child]
            parent = child
        }
        self[parent] = entry
        return least
    }
}
