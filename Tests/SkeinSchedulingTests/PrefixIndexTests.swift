import SkeinCore
import Testing

@testable import SkeinScheduling

@Suite struct PrefixIndexTests {
    static func tokens(_ count: Int, from first: Int = 0) -> [TokenID] {
        (first..<(first + count)).map { TokenID($0) }
    }

    /// An index and a book that know one chain.
    static func filled(
        _ tokens: [TokenID], tenant: String = ""
    ) -> (index: PrefixIndex, ledger: PageLedger) {
        var (index, ledger) = (PrefixIndex(), PageLedger(pageCount: 16))
        add(tokens, tenant, &index, &ledger)
        return (index, ledger)
    }

    static func add(
        _ tokens: [TokenID], _ tenant: String, _ index: inout PrefixIndex,
        _ ledger: inout PageLedger
    ) {
        let pages = ledger.take(tokens.count / Limits.pageRowCount) ?? []
        var parent: PrefixIndex.NodeID?
        for (number, page) in pages.enumerated() {
            let (node, isNew) = index.insert(
                page, number: number, of: tokens, tenant: tenant, after: parent)
            if isNew { ledger.keep(page) }
            parent = node
        }
        ledger.release(pages)
    }

    @Test(arguments: [(200, 3), (192, 3), (191, 2), (63, 0)])
    func theLongestChainOfFullPagesIsFound(_ count: Int, _ pages: Int) {
        var (index, _) = Self.filled(Self.tokens(200))
        let match = index.match(Self.tokens(count), tenant: "", pagesMax: 99)
        #expect(match.pages.count == pages)
    }

    @Test func anotherTokenOrTenantEndsTheChain() {
        var (index, _) = Self.filled(Self.tokens(200), tenant: "a")
        var other = Self.tokens(200)
        other[70] = 0
        let counts = [
            index.match(other, tenant: "a", pagesMax: 99).pages.count,
            index.match(Self.tokens(200), tenant: "b", pagesMax: 99).pages.count,
            index.match(Self.tokens(200, from: 64), tenant: "a", pagesMax: 99).pages.count,
        ]
        #expect(counts == [1, 0, 0])
    }

    @Test func anEqualPageIsNotKeptTwice() {
        var (index, ledger) = Self.filled(Self.tokens(128))
        Self.add(Self.tokens(128), "", &index, &ledger)
        #expect(index.count == 2 && ledger.idleCount == 2 && ledger.freeCount == 14)
        #expect(ledger.audit(owned: [], kept: index.pages).isEmpty)
    }

    @Test func theLeastLatelyUsedLeafGoesFirst() {
        var (index, ledger) = Self.filled(Self.tokens(128))
        Self.add(Self.tokens(128, from: 1_000), "", &index, &ledger)
        _ = index.match(Self.tokens(128), tenant: "", pagesMax: 99)
        let isEvicted = index.evict(from: &ledger)
        let other = index.match(Self.tokens(128, from: 1_000), tenant: "", pagesMax: 9)
        let used = index.match(Self.tokens(128), tenant: "", pagesMax: 9)
        #expect(isEvicted && other.pages.count == 1 && used.pages.count == 2)
        while index.evict(from: &ledger) {}
        #expect(index.count == 0 && ledger.freeCount == 16)
    }

    @Test func anOwnedPageStays() {
        var (index, ledger) = Self.filled(Self.tokens(128))
        let match = index.match(Self.tokens(128), tenant: "", pagesMax: 1)
        ledger.share(match.pages)
        let (first, second) = (index.evict(from: &ledger), index.evict(from: &ledger))
        #expect(first && !second && index.pages == match.pages)
    }
}
