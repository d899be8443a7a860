import ArgumentParser
import SkeinCluster
import SkeinCore

/// How long a sequence of one command may be.
struct ContextOption: ParsableArguments {
    @Option(
        name: .customLong("context"),
        help: "Positions that one sequence may have (default: as many as the model allows).")
    var positionCount: Int?

    func validate() throws { try Self.check(positionCount) }

    static func check(_ count: Int?) throws {
        if let count, !(1...Limits.positionsMax).contains(count) {
            throw ValidationError(
                "--context: expected 1 to \(Limits.positionsMax), found \(count)")
        }
    }
}

/// How long sequences may be, and how large the latent cache of a server is.
struct CacheOptions: ParsableArguments {
    @Option(
        name: .customLong("context"),
        help: """
            Positions that one sequence may have (default: the model's, or as many as memory has \
            room for).
            """)
    var contextPositions: Int?

    @Option(
        help: """
            Pages of the latent cache, 64 positions each, that all sequences share (default: for \
            16 sequences of 4096 positions and one of the whole context, or as many as memory has \
            room for).
            """)
    var pages: Int?

    @Option(
        name: .customLong("cache-gb"),
        help: "The latent cache in GB (10^9 bytes), of all nodes together, in place of --pages.")
    var cacheGigabytes: Double?

    func validate() throws {
        try ContextOption.check(contextPositions)
        if let pages, !(1...Limits.pagesMax).contains(pages) {
            throw ValidationError("--pages: expected 1 to \(Limits.pagesMax), found \(pages)")
        }
        if let cacheGigabytes, !(cacheGigabytes > 0 && cacheGigabytes <= 1e6) {
            throw ValidationError("--cache-gb: expected more than 0, at most 1000000")
        }
        guard pages == nil || cacheGigabytes == nil else {
            throw ValidationError("expected one of --pages and --cache-gb")
        }
    }

    /// What is decided by these options.
    var wish: CacheChoice.Wish {
        CacheChoice.Wish(
            positionCount: contextPositions, pageCount: pages, gigabytes: cacheGigabytes)
    }
}
