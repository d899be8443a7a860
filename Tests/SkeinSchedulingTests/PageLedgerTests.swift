import SkeinCore
import SkeinScheduling
import Testing

@Suite struct PageLedgerTests {
    static func pages(_ numbers: Int...) -> [PageIndex] { numbers.map { PageIndex($0) } }

    @Test func pagesAreTakenLowestFirstAndUsedAgain() {
        var ledger = PageLedger(pageCount: 4)
        #expect(ledger.take(2) == Self.pages(0, 1))
        #expect(ledger.take(3) == nil && ledger.freeCount == 2)
        ledger.release(Self.pages(1))
        #expect(ledger.take(1) == Self.pages(1))
        #expect(ledger.audit(owned: [Self.pages(0, 1)]).isEmpty)
    }

    @Test func aSharedPageIsFreeWhenItsLastOwnerLeaves() {
        var ledger = PageLedger(pageCount: 2)
        _ = ledger.take(1)
        ledger.share(Self.pages(0))
        #expect(ledger.ownerCount(of: PageIndex(0)) == 2)
        ledger.release(Self.pages(0))
        #expect(ledger.freeCount == 1)
        ledger.release(Self.pages(0))
        #expect(ledger.freeCount == 2)
    }

    @Test func aKeptPageIsIdleUntilItIsSharedOrDropped() {
        var ledger = PageLedger(pageCount: 2)
        _ = ledger.take(1)
        ledger.keep(PageIndex(0))
        ledger.release(Self.pages(0))
        #expect(ledger.freeCount == 1 && ledger.idleCount == 1)
        ledger.share(Self.pages(0))
        #expect(ledger.idleCount == 0)
        ledger.release(Self.pages(0))
        ledger.drop(PageIndex(0))
        #expect(ledger.freeCount == 2 && ledger.idleCount == 0)
        #expect(ledger.audit(owned: []).isEmpty)
    }

    @Test func idlePagesStandInTheOrderOfTheirLastUse() {
        var ledger = PageLedger(pageCount: 4)
        _ = ledger.take(4)
        let pages = Self.pages(0, 1, 2, 3)
        for page in pages { ledger.keep(page) }
        ledger.release(Self.pages(2, 0, 3, 1))
        #expect(ledger.oldestIdle == PageIndex(2) && ledger.idleCount == 4)
        ledger.touch(Self.pages(2))
        ledger.share(Self.pages(0))
        #expect(ledger.oldestIdle == PageIndex(3))
        ledger.touch(Self.pages(0))
        ledger.drop(PageIndex(3))
        #expect(ledger.oldestIdle == PageIndex(1) && ledger.idleCount == 2)
        ledger.release(Self.pages(0))
        for page in Self.pages(1, 2, 0) {
            #expect(ledger.oldestIdle == page)
            ledger.drop(page)
        }
        #expect(ledger.oldestIdle == nil && ledger.freeCount == 4)
        #expect(ledger.audit(owned: []).isEmpty)
    }

    @Test func theAuditFindsLeaksDoubleOwnersAndForeignKeeping() {
        var ledger = PageLedger(pageCount: 3)
        _ = ledger.take(2)
        #expect(ledger.audit(owned: [Self.pages(0)]).count == 1)
        #expect(ledger.audit(owned: [Self.pages(0, 1), Self.pages(1)]).count == 1)
        #expect(ledger.audit(owned: [Self.pages(0, 1, 2)]).count == 1)
        #expect(!ledger.audit(owned: [Self.pages(0, 1)], kept: Self.pages(0)).isEmpty)
        #expect(!ledger.audit(owned: [Self.pages(0, 1, 1)]).isEmpty)
    }

    @Test(arguments: [(0, 0), (1, 1), (64, 1), (65, 2), (128, 2)])
    func rowsNeedWholePages(_ rows: Int, _ pages: Int) {
        #expect(PageIndex.count(ofRows: rows) == pages)
    }
}
