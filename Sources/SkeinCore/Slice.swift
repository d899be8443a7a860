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

extension Slice {
    /// Cuts layers into slices as even as may be where some layers must not begin one: a cut before
    /// such a layer moves to the nearest other.
    ///
    /// - Parameters:
    ///   - layerCount: layers of the model.
    ///   - count: slices to cut them into.
    ///   - inner: the layers that lie on the same slice as the layer below; not the first.
    /// - Returns: `nil` where there are fewer other layers than slices.
    public static func even(layerCount: Int, count: Int, keeping inner: Set<Int>) -> [Slice]? {
        let firsts = (0..<layerCount).filter { !inner.contains($0) }
        guard count >= 1, count <= firsts.count else { return nil }
        var cuts = [0]
        var place = 0
        for (index, slice) in even(layerCount: layerCount, count: count).enumerated().dropFirst() {
            let wanted = slice.layers.lowerBound
            // The cuts after this one need a layer each.
            let open = (place + 1)...(firsts.count - (count - index))
            place = open.min { abs(firsts[$0] - wanted) < abs(firsts[$1] - wanted) } ?? place
            cuts.append(firsts[place])
        }
        return cuts.indices.map { index in
            Slice(
                layers: cuts[index]..<(index + 1 < count ? cuts[index + 1] : layerCount),
                holdsEmbedding: index == 0, holdsHead: index == count - 1)
        }
    }

    /// Refuses a slice that begins with a layer that lies on the same slice as the layer below.
    ///
    /// - Parameters:
    ///   - layer: the first of the slice.
    ///   - inner: those layers.
    ///   - layerCount: layers of the model.
    ///   - subject: whose slice it is.
    public static func checkCut(
        before layer: Int, keeping inner: Set<Int>, layerCount: Int, subject: String
    ) throws(Refusal) {
        guard inner.contains(layer) else { return }
        let below = (0..<layer).last { !inner.contains($0) } ?? 0
        let above = (layer..<max(layer, layerCount)).first { !inner.contains($0) }
        throw Refusal(
            subject,
            "begins with layer \(layer), which attends to the positions that layer \(below) chose; "
                + "expected a cut before layer \(below)" + (above.map { " or \($0)" } ?? ""))
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
