public import SkeinCore

/// The one book of the latent cache: which pages are free, and how many sequences own each other.
///
/// A page is *free*, *owned* by one or more sequences, or *idle*: owned by none but kept, with its
/// rows, for a sequence that may begin the same way. Every stage uses the same page numbers.
public struct PageLedger: Equatable, Sendable {
    /// Pages in the book.
    public let pageCount: Int

    /// Pages that nobody owns, kept for their rows.
    public private(set) var idleCount = 0

    /// A stack, so that pages used lately are used again and untouched memory stays untouched.
    private var free: [PageIndex]
    private var ownerCounts: [Int32]
    private var isKept: [Bool]

    /// Opens a book in which all pages are free.
    public init(pageCount: Int) {
        self.pageCount = pageCount
        free = (0..<pageCount).reversed().map { PageIndex($0) }
        ownerCounts = [Int32](repeating: 0, count: pageCount)
        isKept = [Bool](repeating: false, count: pageCount)
    }

    /// Pages that hold so many rows.
    public static func pagesNeeded(rows: Int) -> Int {
        (rows + Limits.pageRowCount - 1) / Limits.pageRowCount
    }

    /// Pages that can be taken at once.
    public var freeCount: Int { free.count }

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
                idleCount -= 1
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
            if isKept[index] { idleCount += 1 } else { free.append(page) }
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
        idleCount -= 1
        free.append(page)
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
        var idle = 0
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
            if ownerCounts[index] == 0 && isKept[index] { idle += 1 }
        }
        if idle != idleCount { faults.append("\(idle) idle pages, the book says \(idleCount)") }
        return faults
    }
}
