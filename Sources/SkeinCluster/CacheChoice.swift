public import SkeinCore
internal import SkeinTensor
public import SkeinWeights

/// The context and the pages that a server takes, and why.
public struct CacheChoice: Equatable, Sendable {
    /// What is decided already; the rest follows from the model and from memory.
    public struct Wish: Equatable, Sendable {
        /// Positions of one sequence.
        public var positionCount: Int?
        /// Pages of the latent cache.
        public var pageCount: Int?
        /// The latent cache of all nodes together in units of 10^9 bytes, in place of pages.
        public var gigabytes: Double?

        /// Describes a wish; what is `nil` is chosen.
        public init(positionCount: Int? = nil, pageCount: Int? = nil, gigabytes: Double? = nil) {
            self.positionCount = positionCount
            self.pageCount = pageCount
            self.gigabytes = gigabytes
        }
    }

    /// Sequences that the cache holds where memory is there, and of what length at most.
    private static let sequenceCount = 16
    private static let sequencePositionsMax = 4_096

    /// Positions of one sequence.
    public let positionCount: Int

    /// Pages of the latent cache.
    public let pageCount: Int

    /// One line for people: what was chosen, and why.
    public let reason: String

    /// Chooses for a model.
    ///
    /// - Parameters:
    ///   - pageBytes: bytes of a page on all nodes together.
    ///   - freeBytes: what memory has beside weights and programs; `nil` where nobody knows.
    /// - Throws: a refusal where more is asked for than the model or the pages hold.
    public init(
        _ wish: Wish, for model: ModelConfiguration, pageBytes: Int, freeBytes: Int?
    ) throws(Refusal) {
        let most = try model.contextLength(wish.positionCount)
        let whole = PageIndex.count(ofRows: most)
        var because = ""
        if let given = try Self.givenPages(wish, pageBytes: pageBytes) {
            pageCount = given
            because = "\(given) page\(given == 1 ? " holds" : "s hold") no more"
        } else {
            let short = PageIndex.count(ofRows: min(most, Self.sequencePositionsMax))
            let wanted = max(Self.sequenceCount * short, whole)
            // A tenth is left to what else grows.
            let room = freeBytes.map { max(0, $0 / 10 * 9 / pageBytes) } ?? wanted
            // What was asked for is not made less: it is refused where it does not fit.
            let least = wish.positionCount == nil ? 1 : whole
            pageCount = min(Limits.pagesMax, max(least, min(wanted, room)))
            because = "memory has room for \(ByteText(room * pageBytes)) of latent cache"
        }
        let held = pageCount * Limits.pageRowCount
        if let asked = wish.positionCount, asked > held {
            throw Refusal(
                "--context", "found \(asked), expected at most \(held), since \(because)")
        }
        positionCount = min(most, held)
        let origin =
            if wish.positionCount != nil {
                "as asked for"
            } else if positionCount < most {
                "the model allows \(most), but \(because)"
            } else {
                "all that the model allows"
            }
        reason =
            "context: \(positionCount) positions, \(origin); latent cache: \(pageCount) pages of "
            + "\(Limits.pageRowCount) positions, \(ByteText(pageCount * pageBytes))"
    }

    private static func givenPages(
        _ wish: Wish, pageBytes: Int
    ) throws(Refusal) -> Int? {
        guard let gigabytes = wish.gigabytes else { return wish.pageCount }
        let pages = Int(gigabytes * 1e9 / Double(pageBytes))
        guard (1...Limits.pagesMax).contains(pages) else {
            throw Refusal(
                "--cache-gb",
                "\(gigabytes) GB are \(pages) pages of \(ByteText(pageBytes)), expected 1 to "
                    + "\(Limits.pagesMax) pages")
        }
        return pages
    }
}

extension CacheChoice {
    /// Chooses for a model on this machine.
    ///
    /// - Parameter layout: how the model is laid out; its own context and pages count for nothing.
    public init(
        _ wish: Wish, _ layout: ClusterLayout, of checkpoint: Checkpoint
    ) throws(Refusal) {
        let model = checkpoint.configuration
        let arithmetic = ModelArithmetic(model, serving: layout.serving)
        let pageBytes =
            Limits.pageRowCount
            * (arithmetic.cacheBytesPerToken() + arithmetic.predictionCacheBytesPerToken)
        var empty = layout
        empty.serving.pageCount = 0
        let programBytes = try empty.memoryNeeded(by: checkpoint)
        try self.init(
            wish, for: model, pageBytes: pageBytes,
            freeBytes: MachineMemory.now().availableBytes.map { max(0, $0 - programBytes) })
    }
}

extension ModelConfiguration {
    /// The positions asked for, else the model's own.
    ///
    /// - Throws: a refusal where that is more than the model's.
    public func contextLength(_ asked: Int?) throws(Refusal) -> Int {
        if let asked, asked > positionCountMax {
            throw Refusal(
                "--context",
                "found \(asked) positions, expected at most the model's \(positionCountMax)")
        }
        return asked ?? positionCountMax
    }
}
