public import SkeinCore

/// Which full pages hold the rows of which beginnings, least lately used first out.
///
/// A beginning is a chain of full pages. Each node is found by its parent and the page's own
/// tokens, compared token by token, so a hash collision can never hand out another's rows. The
/// first parent stands for the tenant: tenants never share.
///
/// A node is touched after its children, so a parent is always used later than they are, and the
/// oldest node is a leaf unless its page is owned.
public struct PrefixIndex: Sendable {
    /// One page of a chain.
    public struct NodeID: Hashable, Sendable {
        let rawValue: Int
    }

    /// Pages of the longest known beginning.
    public struct Match: Sendable {
        /// The pages, in order.
        public var pages: [PageIndex]
        /// The node of the last page.
        public var node: NodeID?
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
        var older: Int?
        var newer: Int?
    }

    private var nodes: [Int: Node] = [:]
    private var places: [Key: Int] = [:]
    private var oldest: Int?
    private var newest: Int?
    private var nextNumber = 0

    /// Opens an empty index.
    public init() {}

    /// Pages in the index.
    public var count: Int { nodes.count }

    /// All pages in the index, in no order.
    public var pages: [PageIndex] { nodes.values.map(\.page) }

    /// Finds the longest chain of full pages that begins like `tokens`, at most `pagesMax` long,
    /// and marks it as used.
    public mutating func match(
        _ tokens: [TokenID], tenant: String, pagesMax: Int
    ) -> Match {
        var chain: [Int] = []
        var parent = Parent.tenant(tenant)
        while chain.count < min(pagesMax, tokens.count / Limits.pageRowCount) {
            let key = Key(parent: parent, tokens: Self.tokens(of: chain.count, in: tokens))
            guard let place = places[key] else { break }
            chain.append(place)
            parent = .node(NodeID(rawValue: place))
        }
        let pages = chain.compactMap { nodes[$0]?.page }
        for place in chain.reversed() { touch(place) }
        return Match(pages: pages, node: chain.last.map { NodeID(rawValue: $0) })
    }

    /// Adds the page that follows `parent` (`nil`: the first page of the tenant's sequence).
    ///
    /// - Returns: The node, and whether it was added; where an equal one is known already, that
    ///   one is returned and the page is not kept.
    public mutating func insert(
        _ page: PageIndex, number: Int, of tokens: [TokenID], tenant: String, after parent: NodeID?
    ) -> (node: NodeID, isNew: Bool) {
        let key = Key(
            parent: parent.map { .node($0) } ?? .tenant(tenant),
            tokens: Self.tokens(of: number, in: tokens))
        if let place = places[key] { return (NodeID(rawValue: place), false) }
        let place = nextNumber
        nextNumber += 1
        nodes[place] = Node(key: key, page: page)
        places[key] = place
        linkNewest(place)
        // Parents are used later than their children.
        var above = parent
        while let node = above {
            touch(node.rawValue)
            guard case .node(let next) = nodes[node.rawValue]?.key.parent else { break }
            above = next
        }
        return (NodeID(rawValue: place), true)
    }

    /// Frees the least lately used page that nobody owns.
    ///
    /// - Returns: `false` where every page in the index is owned.
    mutating func evict(from ledger: inout PageLedger) -> Bool {
        var place = oldest
        while let current = place, let node = nodes[current] {
            if ledger.ownerCount(of: node.page) == 0 {
                unlink(current)
                nodes[current] = nil
                places[node.key] = nil
                ledger.drop(node.page)
                return true
            }
            place = node.newer
        }
        return false
    }

    /// Whether the node is still in the index.
    public func contains(_ node: NodeID) -> Bool { nodes[node.rawValue] != nil }

    private static func tokens(of page: Int, in tokens: [TokenID]) -> [TokenID] {
        Array(tokens[(page * Limits.pageRowCount)..<((page + 1) * Limits.pageRowCount)])
    }

    private mutating func touch(_ place: Int) {
        guard nodes[place] != nil, newest != place else { return }
        unlink(place)
        linkNewest(place)
    }

    private mutating func linkNewest(_ place: Int) {
        nodes[place]?.older = newest
        nodes[place]?.newer = nil
        if let newest { nodes[newest]?.newer = place }
        newest = place
        if oldest == nil { oldest = place }
    }

    private mutating func unlink(_ place: Int) {
        guard let node = nodes[place] else { return }
        if let older = node.older { nodes[older]?.newer = node.newer } else { oldest = node.newer }
        if let newer = node.newer { nodes[newer]?.older = node.older } else { newest = node.older }
    }
}
