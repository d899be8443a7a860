public import SkeinCore

/// The one book of the latent cache: which pages are free, and how many sequences own each other.
///
/// A page is *free*, *owned* by one or more sequences, or *idle*: owned by none but kept, with its
/// rows, for a sequence that may begin the same way. Idle pages stand in a queue, the least lately
/// used first. Every stage uses the same page numbers.
public struct PageAllocator: Equatable, Sendable {
    /// Pages in the book.
    public let pageCount: Int

    /// A stack, so that pages used lately are used again and untouched memory stays untouched.
    private var free: [PageIndex]
    private var ownerCounts: [Int32]
    private var isKept: [Bool]
    private var idle: IdleQueue

    /// Opens a book in which all pages are free.
    public init(pageCount: Int) {
        self.pageCount = pageCount
        free = (0..<pageCount).reversed().map { PageIndex($0) }
        ownerCounts = [Int32](repeating: 0, count: pageCount)
        isKept = [Bool](repeating: false, count: pageCount)
        idle = IdleQueue(pageCount: pageCount)
    }

    /// Pages that can be taken at once.
    public var freeCount: Int { free.count }

    /// Pages that nobody owns, kept for their rows.
    public var idleCount: Int { idle.count }

    /// The idle page that was used least lately.
    public var oldestIdle: PageIndex? { idle.oldest }

    /// How many sequences own the page.
    public func ownerCount(of page: PageIndex) -> Int { Int(ownerCounts[Int(page.rawValue)]) }

    /// Gives `count` free pages to one owner, or none where fewer are free.
    public mutating func take(_ count: Int) -> [PageIndex]? {
        guard count <= free.count else { return nil }
        let pages = Array(free.suffix(count).reversed())
        free.removeLast(count)
        for page in pages { ownerCounts[Int(page.rawValue)] = 1 }
        return pages
    }

    /// Adds an owner to pages that are owned or idle.
    public mutating func share(_ pages: some Sequence<PageIndex>) {
        for page in pages {
            let index = Int(page.rawValue)
            if ownerCounts[index] == 0 {
                precondition(isKept[index], "a free page cannot be shared: \(index)")
                idle.remove(page)
            }
            ownerCounts[index] += 1
        }
    }

    /// Takes one owner from each page; a page without owner is free, or idle where it is kept.
    public mutating func release(_ pages: some Sequence<PageIndex>) {
        for page in pages {
            let index = Int(page.rawValue)
            precondition(ownerCounts[index] > 0, "page released by nobody: \(index)")
            ownerCounts[index] -= 1
            guard ownerCounts[index] == 0 else { continue }
            if isKept[index] { idle.append(page) } else { free.append(page) }
        }
    }

    /// Keeps an owned page for its rows when its last owner leaves.
    public mutating func keep(_ page: PageIndex) {
        let index = Int(page.rawValue)
        precondition(ownerCounts[index] > 0 && !isKept[index], "page cannot be kept: \(index)")
        isKept[index] = true
    }

    /// Keeps a page no longer; it is free at once where nobody owns it.
    public mutating func drop(_ page: PageIndex) {
        let index = Int(page.rawValue)
        precondition(isKept[index], "page was not kept: \(index)")
        isKept[index] = false
        guard ownerCounts[index] == 0 else { return }
        idle.remove(page)
        free.append(page)
    }

    /// Notes that pages were of use: those that are idle are now the latest in the queue.
    public mutating func touch(_ pages: some Sequence<PageIndex>) {
        for page in pages
        where isKept[Int(page.rawValue)] && ownerCounts[Int(page.rawValue)] == 0 {
            idle.remove(page)
            idle.append(page)
        }
    }

    /// Compares the book with what the owners hold; every line of the answer is a fault.
    ///
    /// - Parameters:
    ///   - owned: The page table of every owner.
    ///   - kept: The pages that are kept for their rows.
    public func audit(owned: [[PageIndex]], kept: [PageIndex] = []) -> [String] {
        var faults: [String] = []
        var counts = [Int32](repeating: 0, count: pageCount)
        var isFree = [Bool](repeating: false, count: pageCount)
        for table in owned {
            for page in table { counts[Int(page.rawValue)] += 1 }
            if Set(table).count != table.count { faults.append("a table names a page twice") }
        }
        for page in free {
            if isFree[Int(page.rawValue)] { faults.append("page \(page.rawValue) is free twice") }
            isFree[Int(page.rawValue)] = true
        }
        let keptPages = Set(kept)
        var idlePages: Set<PageIndex> = []
        for index in 0..<pageCount {
            if counts[index] != ownerCounts[index] {
                faults.append(
                    "page \(index) has \(counts[index]) owners, the book says \(ownerCounts[index])"
                )
            }
            let isHeld = ownerCounts[index] > 0 || isKept[index]
            if isFree[index] == isHeld {
                faults.append("page \(index) is \(isHeld ? "both free and held" : "leaked")")
            }
            if keptPages.contains(PageIndex(index)) != isKept[index] {
                faults.append("page \(index): the index and the book differ about keeping it")
            }
            if ownerCounts[index] == 0 && isKept[index] { idlePages.insert(PageIndex(index)) }
        }
        let queue = idle.pages
        if queue.count != idleCount || queue.count != idlePages.count || Set(queue) != idlePages {
            faults.append("\(idlePages.count) idle pages, the queue has \(queue.count)")
        }
        return faults
    }
}

/// Pages in the order in which they became idle; each can be taken out wherever it stands.
struct IdleQueue: Equatable, Sendable {
    private(set) var count = 0
    private(set) var oldest: PageIndex?
    private var newest: PageIndex?
    /// The neighbours of each page that stands in the queue; -1 for none.
    private var older: [Int32]
    private var newer: [Int32]

    init(pageCount: Int) {
        older = [Int32](repeating: -1, count: pageCount)
        newer = older
    }

    /// All pages, the oldest first; never more than there can be, whatever is wrong.
    var pages: [PageIndex] {
        var pages: [PageIndex] = []
        var next = oldest
        while let page = next, pages.count <= older.count {
            pages.append(page)
            next = Self.page(newer[Int(page.rawValue)])
        }
        return pages
    }

    /// Puts a page that is not in the queue at its end.
    mutating func append(_ page: PageIndex) {
        let index = Int(page.rawValue)
        older[index] = newest?.rawValue ?? -1
        newer[index] = -1
        if let newest { newer[Int(newest.rawValue)] = page.rawValue }
        newest = page
        oldest = oldest ?? page
        count += 1
    }

    /// Takes a page that is in the queue out of it.
    mutating func remove(_ page: PageIndex) {
        let index = Int(page.rawValue)
        let before = Self.page(older[index])
        let after = Self.page(newer[index])
        if let before { newer[Int(before.rawValue)] = newer[index] } else { oldest = after }
        if let after { older[Int(after.rawValue)] = older[index] } else { newest = before }
        older[index] = -1
        newer[index] = -1
        count -= 1
    }

    private static func page(_ number: Int32) -> PageIndex? {
        number < 0 ? nil : PageIndex(rawValue: number)
    }
}
