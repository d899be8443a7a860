/// A contiguous run of layers, with the embedding before it or the head after it.
public struct Slice: Equatable, Sendable {
    /// The layers, half open.
    public var layers: Range<Int>

    /// Whether the slice turns tokens into the first residual.
    public var holdsEmbedding: Bool

    /// Whether the slice ends in the final norm and the head.
    public var holdsHead: Bool

    /// Describes a slice.
    public init(layers: Range<Int>, holdsEmbedding: Bool, holdsHead: Bool) {
        self.layers = layers
        self.holdsEmbedding = holdsEmbedding
        self.holdsHead = holdsHead
    }

    /// Cuts `layerCount` layers into `count` slices whose lengths differ by at most one; the
    /// earlier slices are the longer ones, since the last also holds the head.
    ///
    /// - Precondition: `1 <= count <= layerCount`.
    public static func even(layerCount: Int, count: Int) -> [Slice] {
        precondition(count >= 1 && count <= layerCount, "cannot cut \(layerCount) into \(count)")
        var first = 0
        return (0..<count).map { index in
            let length = layerCount / count + (index < layerCount % count ? 1 : 0)
            defer { first += length }
            return Slice(
                layers: first..<(first + length), holdsEmbedding: index == 0,
                holdsHead: index == count - 1)
        }
    }
}

/// The two ways to lay slices over nodes (design section 3).
public enum PlacementKind: String, Equatable, Sendable, CaseIterable {
    /// S nodes, S slices, one after the other.
    case linear
    /// S nodes, 2S slices: node i holds slices i and 2S-1-i, out and back.
    case vfold

    /// How many stages `nodeCount` nodes hold.
    public func stageCount(nodeCount: Int) -> Int { self == .linear ? nodeCount : 2 * nodeCount }

    /// The node that holds a stage.
    public func node(of stage: StageIndex, nodeCount: Int) -> Int {
        stage.rawValue < nodeCount ? stage.rawValue : 2 * nodeCount - 1 - stage.rawValue
    }
}
