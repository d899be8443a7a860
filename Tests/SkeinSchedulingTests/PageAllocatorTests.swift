import SkeinCore
import SkeinScheduling
import Testing

@Suite struct PageAllocatorTests {
    static func pages(_ numbers: Int...) -> [PageIndex] { numbers.map { PageIndex($0) } }

    @Test func pagesAreTakenLowestFirstAndUsedAgain() {
        var allocator = PageAllocator(pageCount: 4)
        #expect(allocator.take(2) == Self.pages(0, 1))
        #expect(allocator.take(3) == nil && allocator.freeCount == 2)
        allocator.release(Self.pages(1))
        #expect(allocator.take(1) == Self.pages(1))
        #expect(allocator.audit(owned: [Self.pages(0, 1)]).isEmpty)
    }

    @Test func aSharedPageIsFreeWhenItsLastOwnerLeaves() {
        var allocator = PageAllocator(pageCount: 2)
        _ = allocator.take(1)
        allocator.share(Self.pages(0))
        #expect(allocator.ownerCount(of: PageIndex(0)) == 2)
        allocator.release(Self.pages(0))
        #expect(allocator.freeCount == 1)
        allocator.release(Self.pages(0))
        #expect(allocator.freeCount == 2)
    }

    @Test func aKeptPageIsIdleUntilItIsSharedOrDropped() {
        var allocator = PageAllocator(pageCount: 2)
        _ = allocator.take(1)
        allocator.keep(PageIndex(0))
        allocator.release(Self.pages(0))
        #expect(allocator.freeCount == 1 && allocator.idleCount == 1)
        allocator.share(Self.pages(0))
        #expect(allocator.idleCount == 0)
        allocator.release(Self.pages(0))
        allocator.drop(PageIndex(0))
        #expect(allocator.freeCount == 2 && allocator.idleCount == 0)
        #expect(allocator.audit(owned: []).isEmpty)
    }

    @Test func idlePagesStandInTheOrderOfTheirLastUse() {
        var allocator = PageAllocator(pageCount: 4)
        _ = allocator.take(4)
        let pages = Self.pages(0, 1, 2, 3)
        for page in pages { allocator.keep(page) }
        allocator.release(Self.pages(2, 0, 3, 1))
        #expect(allocator.oldestIdle == PageIndex(2) && allocator.idleCount == 4)
        allocator.touch(Self.pages(2))
        allocator.share(Self.pages(0))
        #expect(allocator.oldestIdle == PageIndex(3))
        allocator.touch(Self.pages(0))
        allocator.drop(PageIndex(3))
        #expect(allocator.oldestIdle == PageIndex(1) && allocator.idleCount == 2)
        allocator.release(Self.pages(0))
        for page in Self.pages(1, 2, 0) {
            #expect(allocator.oldestIdle == page)
            allocator.drop(page)
        }
        #expect(allocator.oldestIdle == nil && allocator.freeCount == 4)
        #expect(allocator.audit(owned: []).isEmpty)
    }

    @Test func theAuditFindsLeaksDoubleOwnersAndForeignKeeping() {
        var allocator = PageAllocator(pageCount: 3)
        _ = allocator.take(2)
        #expect(allocator.audit(owned: [Self.pages(0)]).count == 1)
        #expect(allocator.audit(owned: [Self.pages(0, 1), Self.pages(1)]).count == 1)
        #expect(allocator.audit(owned: [Self.pages(0, 1, 2)]).count == 1)
        #expect(!allocator.audit(owned: [Self.pages(0, 1)], kept: Self.pages(0)).isEmpty)
        #expect(!allocator.audit(owned: [Self.pages(0, 1, 1)]).isEmpty)
    }

    @Test(arguments: [(0, 0), (1, 1), (64, 1), (65, 2), (128, 2)])
    func rowsNeedWholePages(_ rows: Int, _ pages: Int) {
        #expect(PageIndex.count(ofRows: rows) == pages)
    }
}
