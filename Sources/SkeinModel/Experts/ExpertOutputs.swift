public import SkeinCore

/// What experts gave for some places of a choice: the form in which outputs travel and wait.
public struct ExpertOutputs: Sendable, Equatable {
    /// Places in `ExpertChoice.experts`, ascending.
    public let slots: [Int]

    /// One BF16 row for each of them.
    public let bytes: [UInt8]

    /// Pairs places with their rows.
    public init(slots: [Int], bytes: [UInt8]) {
        self.slots = slots
        self.bytes = bytes
    }
}

/// What a step needs of remote experts before it can go on.
public struct ExpertDemand: Sendable {
    /// The layer at which it waits.
    public let layer: LayerIndex

    /// The experts of every row.
    public let choice: ExpertChoice

    /// The places in the choice whose experts are remote, ascending; one at least.
    public let slots: [Int]
}
