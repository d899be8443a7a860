public import SkeinCore

/// Which pages hold the rows of which beginnings.
///
///     tenant ─► page of 64 tokens ─► page of 64 tokens ─► page of 22 tokens
///                                └─► page of 64 tokens ─► …
///
/// A beginning is a chain of pages; all but its last are full. A full page is found by its parent
/// and its own tokens, in one look-up each, so finding takes as many look-ups as the prompt has
/// pages. The children of a node are also kept in the order of their tokens: the one that shares
/// most with what is left of a prompt is then a neighbour of the place where that would stand.
///
/// Everything is compared token by token, so no collision of hashes can ever hand out another's
/// rows. The first parent stands for the tenant: tenants never share.
public struct PrefixIndex: Sendable {
    /// One page of a chain.
    public struct NodeID: Hashable, Sendable {
        let rawValue: Int
    }

    /// What is known of a beginning.
    public struct Match: Sendable {
        /// Full pages, in order.
        public var pages: [PageIndex] = []
        /// The node of the last full page.
        public var node: NodeID?
        /// A page whose first rows go on where the full pages end.
        public var tail: Tail?

        /// Rows of the beginning, the tail's included.
        public var rowCount: Int {
            pages.count * Limits.pageRowCount + (tail?.rowCount ?? 0)
        }
    }

    /// The first rows of a page that goes on differently, or not at all.
    public struct Tail: Equatable, Sendable {
        /// The page.
        public var page: PageIndex
        /// How many of its rows are of use.
        public var rowCount: Int
    }

    private enum Parent: Hashable {
        case tenant(String)
        case node(NodeID)
    }

    private struct Key: Hashable {
        var parent: Parent
        var tokens: [TokenID]
    }

    private struct Node {
        var key: Key
        var page: PageIndex

        var isFull: Bool { key.tokens.count == Limits.pageRowCount }
    }

    private var nodes: [NodeID: Node] = [:]
    private var fullNodes: [Key: NodeID] = [:]
    /// In the order of their tokens.
    private var children: [Parent: [NodeID]] = [:]
    private var nodesOfPages: [PageIndex: NodeID] = [:]
    private var nextNumber = 0

    /// Opens an empty index.
    public init() {}

    /// Pages in the index.
    public var count: Int { nodes.count }

    /// All pages in the index, in no order.
    public var pages: [PageIndex] { nodes.values.map(\.page) }

    /// Whether the node is still in the index.
    public func contains(_ node: NodeID) -> Bool { nodes[node] != nil }

    /// Finds the longest known beginning of `tokens` that has at most `rowsMax` rows.
    public func match(_ tokens: [TokenID], tenant: String, rowsMax: Int) -> Match {
        let rowsMax = min(rowsMax, tokens.count)
        var match = Match()
        var parent = Parent.tenant(tenant)
        var end = Limits.pageRowCount
        while end <= rowsMax {
            let key = Key(
                parent: parent, tokens: Array(tokens[(end - Limits.pageRowCount)..<end]))
            guard let id = fullNodes[key], let node = nodes[id] else { break }
            match.pages.append(node.page)
            match.node = id
            parent = .node(id)
            end += Limits.pageRowCount
        }
        let rest = tokens[(end - Limits.pageRowCount)..<min(end, max(0, rowsMax))]
        if let (id, count) = closestChild(of: parent, to: rest), let node = nodes[id], count > 0 {
            match.tail = Tail(page: node.page, rowCount: count)
        }
        return match
    }

    /// Adds a page that holds the rows of `tokens`, as what follows `parent`.
    ///
    /// - Precondition: the page is not in the index, unless with the same rows.
    /// - Parameters:
    ///   - tokens: 64 for a full page, fewer for a part of one.
    ///   - parent: the page before; `nil` for the first page of the tenant's sequence.
    /// - Returns: the node, and whether it was added. Where the same rows are known already, the
    ///   page is not kept: the node is then the known full page's, or `nil` for a part of a page.
    public mutating func insert(
        _ page: PageIndex, tokens: ArraySlice<TokenID>, tenant: String, after parent: NodeID?
    ) -> (node: NodeID?, isNew: Bool) {
        precondition((1...Limits.pageRowCount).contains(tokens.count), "a page's tokens")
        let parent = parent.map { Parent.node($0) } ?? .tenant(tenant)
        let key = Key(parent: parent, tokens: Array(tokens))
        if tokens.count == Limits.pageRowCount {
            if let known = fullNodes[key] { return (known, false) }
        } else if let (_, count) = closestChild(of: parent, to: tokens), count == tokens.count {
            return (nil, false)
        }
        precondition(nodesOfPages[page] == nil, "page \(page.rawValue) is in the index")
        let id = NodeID(rawValue: nextNumber)
        nextNumber += 1
        let node = Node(key: key, page: page)
        nodes[id] = node
        nodesOfPages[page] = id
        if node.isFull { fullNodes[key] = id }
        let place = place(of: tokens, under: parent)
        children[parent, default: []].insert(id, at: place)
        return (id, true)
    }

    /// Whether the page is in the index.
    public func contains(_ page: PageIndex) -> Bool { nodesOfPages[page] != nil }

    /// The rows that the index knows of a page.
    public func rowCount(of page: PageIndex) -> Int {
        nodesOfPages[page].flatMap { nodes[$0] }?.key.tokens.count ?? 0
    }

    /// The pages of a chain, from the node up to the first page.
    public func chain(to node: NodeID?) -> [PageIndex] {
        var pages: [PageIndex] = []
        var next = node
        while let id = next, let node = nodes[id] {
            pages.append(node.page)
            guard case .node(let parent) = node.key.parent else { break }
            next = parent
        }
        return pages
    }

    /// Forgets a page and everything that follows it.
    ///
    /// - Returns: the pages that are no longer in the index.
    public mutating func remove(_ page: PageIndex) -> [PageIndex] {
        guard let first = nodesOfPages[page] else { return [] }
        if let node = nodes[first] {
            let parent = node.key.parent
            let place = place(of: node.key.tokens[...], under: parent)
            children[parent]?.remove(at: place)
            if children[parent]?.isEmpty == true { children[parent] = nil }
        }
        var removed: [PageIndex] = []
        var leaving = [first]
        while let id = leaving.popLast() {
            guard let node = nodes.removeValue(forKey: id) else { continue }
            leaving += children.removeValue(forKey: .node(id)) ?? []
            if node.isFull { fullNodes[node.key] = nil }
            nodesOfPages[node.page] = nil
            removed.append(node.page)
        }
        return removed
    }

    /// Every page with the tokens of its whole chain, to be compared with the rows.
    var beginnings: [(page: PageIndex, tenant: String, tokens: [TokenID])] {
        nodes.values.map { node in
            var tokens = node.key.tokens
            var parent = node.key.parent
            while case .node(let id) = parent, let above = nodes[id] {
                tokens = above.key.tokens + tokens
                parent = above.key.parent
            }
            guard case .tenant(let tenant) = parent else { return (node.page, "?", tokens) }
            return (node.page, tenant, tokens)
        }
    }

    /// The child that shares the longest beginning with `tokens`, and how long that is.
    private func closestChild(
        of parent: Parent, to tokens: ArraySlice<TokenID>
    ) -> (node: NodeID, count: Int)? {
        guard !tokens.isEmpty, let siblings = children[parent] else { return nil }
        let place = place(of: tokens, under: parent)
        var best: (node: NodeID, count: Int)?
        for neighbour in [place, place - 1] where siblings.indices.contains(neighbour) {
            let id = siblings[neighbour]
            let count = zip(nodes[id]?.key.tokens ?? [], tokens).prefix { $0 == $1 }.count
            if count > best?.count ?? 0 { best = (id, count) }
        }
        return best
    }

    /// Where a child with these tokens stands or would stand among its siblings.
    private func place(of tokens: ArraySlice<TokenID>, under parent: Parent) -> Int {
        let siblings = children[parent] ?? []
        var low = 0
        var high = siblings.count
        while low < high {
            let middle = (low + high) / 2
            let other = nodes[siblings[middle]]?.key.tokens ?? []
            if other.lexicographicallyPrecedes(tokens) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}
