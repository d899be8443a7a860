// An index, a count and a size are three different things; indexes and identifiers are types, so
// that a layer can never be passed where a page is wanted.

/// A place among the model's layers, from 0.
public struct LayerIndex: RawRepresentable, Hashable, Comparable, Sendable {
    /// The layer's number as in the checkpoint's tensor names.
    public let rawValue: Int

    /// Wraps a layer number.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Wraps a layer number.
    public init(_ value: Int) { rawValue = value }

    /// Orders layers from the embedding to the head.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A place in the pipeline, from 0.
public struct StageIndex: RawRepresentable, Hashable, Comparable, Sendable {
    /// The stage's number in the order that a micro-batch visits.
    public let rawValue: Int

    /// Wraps a stage number.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Wraps a stage number.
    public init(_ value: Int) { rawValue = value }

    /// Orders stages as a micro-batch visits them.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A page of the latent cache; the same number on every stage.
public struct PageIndex: RawRepresentable, Hashable, Comparable, Sendable {
    /// The page's number in every stage's pool.
    public let rawValue: Int32

    /// Wraps a page number.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// Wraps a page number.
    public init(_ value: Int) { rawValue = Int32(value) }

    /// Orders pages by number.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// Pages that hold the first `rowCount` positions of one sequence.
    public static func count(ofRows rowCount: Int) -> Int {
        (rowCount + Limits.pageRowCount - 1) / Limits.pageRowCount
    }
}

/// One growing list of tokens.
public struct SequenceID: RawRepresentable, Hashable, Comparable, Sendable {
    /// A number unique while the coordinator lives; a later arrival has a larger number.
    public let rawValue: UInt64

    /// Wraps a sequence number.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Orders sequences by arrival.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// One micro-batch on its way round the ring.
public struct MicroBatchID: RawRepresentable, Hashable, Comparable, Sendable {
    /// A number unique while the coordinator lives, counting up.
    public let rawValue: UInt64

    /// Wraps a micro-batch number.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Orders micro-batches by the time they entered the ring.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// The number of a placement; frames of an older placement are dropped.
public struct Epoch: RawRepresentable, Hashable, Comparable, Sendable {
    /// Counts placements from 1; 0 means that no placement was received yet.
    public let rawValue: UInt64

    /// Wraps an epoch number.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Before the first placement.
    public static let none = Epoch(rawValue: 0)

    /// The epoch that follows.
    public var next: Epoch { Epoch(rawValue: rawValue + 1) }

    /// The first epoch of a head that follows another one, of which this is the last that is known:
    /// placements that it may have told since then are left out.
    public var afterUnknown: Epoch { Epoch(rawValue: rawValue + Limits.epochsUnknownMax) }

    /// Orders placements by time.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}
