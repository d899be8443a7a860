import SkeinCore
import Testing

@testable import SkeinScheduling

@Suite struct PrefixIndexTests {
    static func tokens(_ count: Int, from first: Int = 0) -> [TokenID] {
        (first..<(first + count)).map { TokenID($0) }
    }

    /// An index that knows one chain on pages from `firstPage` on.
    static func filled(_ tokens: [TokenID], tenant: String = "") -> PrefixIndex {
        var index = PrefixIndex()
        add(tokens, tenant, firstPage: 0, &index)
        return index
    }

    /// Adds the full pages of `tokens` and the part of a page that is left.
    static func add(
        _ tokens: [TokenID], _ tenant: String = "", firstPage: Int, _ index: inout PrefixIndex
    ) {
        var parent: PrefixIndex.NodeID?
        for (number, first) in stride(
            from: 0, to: tokens.count, by: Limits.pageRowCount
        ).enumerated() {
            let end = min(tokens.count, first + Limits.pageRowCount)
            parent =
                index.insert(
                    PageIndex(firstPage + number), tokens: tokens[first..<end], tenant: tenant,
                    after: parent
                ).node
        }
    }

    private static func pages(_ numbers: Range<Int>) -> [PageIndex] {
        numbers.map { PageIndex($0) }
    }

    @Test(arguments: [
        (200, 200, 3, 8), (200, 199, 3, 7), (192, 192, 3, 0), (192, 191, 2, 63),
        (191, 191, 2, 63), (63, 63, 0, 63), (65, 64, 1, 0), (1, 0, 0, 0), (400, 399, 3, 8),
    ])
    func theLongestBeginningIsFoundInFullPagesAndAPartOfOne(
        _ count: Int, _ rowsMax: Int, _ pageCount: Int, _ tailCount: Int
    ) {
        let index = Self.filled(Self.tokens(200))
        let match = index.match(Self.tokens(count), tenant: "", rowsMax: rowsMax)
        #expect(match.pages == Self.pages(0..<pageCount))
        #expect(match.tail?.rowCount ?? 0 == tailCount)
        #expect(match.tail.map { $0.page == PageIndex(pageCount) } ?? true)
        #expect(match.rowCount == min(rowsMax, 200))
    }

    @Test func anotherTokenOrTenantEndsTheChain() {
        let index = Self.filled(Self.tokens(200), tenant: "a")
        var other = Self.tokens(200)
        other[70] = 0
        let counts = [
            index.match(other, tenant: "a", rowsMax: 199).rowCount,
            index.match(Self.tokens(200), tenant: "b", rowsMax: 199).rowCount,
            index.match(Self.tokens(200, from: 64), tenant: "a", rowsMax: 199).rowCount,
        ]
        #expect(counts == [70, 0, 0])
    }

    @Test func ofManyContinuationsTheOneThatSharesMostIsFound() {
        var index = Self.filled(Self.tokens(64))
        for (number, shared) in [40, 3, 25, 63, 12].enumerated() {
            let tokens =
                Self.tokens(64 + shared)
                + [TokenID](repeating: TokenID(9_000 + number), count: 64 - shared)
            Self.add(tokens, firstPage: 10 + 2 * number, &index)
        }
        for wanted in [2, 3, 11, 26, 40, 41, 62, 63] {
            let prompt = Self.tokens(64 + wanted) + Self.tokens(9, from: 20_000)
            let match = index.match(prompt, tenant: "", rowsMax: prompt.count - 1)
            #expect(match.rowCount == 64 + wanted, "\(wanted)")
        }
    }

    @Test func equalRowsAreNotKeptTwice() {
        var index = Self.filled(Self.tokens(150))
        Self.add(Self.tokens(150), firstPage: 10, &index)
        Self.add(Self.tokens(140), firstPage: 20, &index)
        #expect(index.pages.sorted() == Self.pages(0..<3))
    }

    @Test func aPageIsForgottenTogetherWithWhatFollowsIt() {
        var index = Self.filled(Self.tokens(200))
        Self.add(Self.tokens(70) + Self.tokens(70, from: 1_000), firstPage: 10, &index)
        #expect(index.count == 6)
        #expect(index.remove(PageIndex(1)).sorted() == Self.pages(1..<4))
        #expect(index.remove(PageIndex(1)) == [])
        let counts = [
            index.match(Self.tokens(200), tenant: "", rowsMax: 199).rowCount,
            index.match(
                Self.tokens(70) + Self.tokens(70, from: 1_000), tenant: "", rowsMax: 199
            ).rowCount,
        ]
        #expect(counts == [70, 140])
        #expect(index.remove(PageIndex(0)).count == 3)
        #expect(index.count == 0 && index.pages.isEmpty)
        #expect(index.match(Self.tokens(200), tenant: "", rowsMax: 199).rowCount == 0)
    }

    @Test func theChainOfANodeLeadsUpToTheFirstPage() {
        var index = PrefixIndex()
        let first = index.insert(
            PageIndex(5), tokens: Self.tokens(64)[...], tenant: "", after: nil)
        let second = index.insert(
            PageIndex(2), tokens: Self.tokens(64, from: 9)[...], tenant: "", after: first.node)
        #expect(index.chain(to: second.node) == [PageIndex(2), PageIndex(5)])
        #expect(index.chain(to: nil) == [])
    }
}
