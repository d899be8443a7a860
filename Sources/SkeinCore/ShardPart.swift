/// Some experts of some layers: all of a range of experts, of every layer of a range.
public struct ShardPart: Hashable, Sendable {
    /// MoE layers that follow each other, half open.
    public var layers: Range<Int>

    /// Experts as the checkpoint numbers them, half open.
    public var experts: Range<Int>

    /// Names experts of layers.
    public init(layers: Range<Int>, experts: Range<Int>) {
        self.layers = layers
        self.experts = experts
    }
}

extension ShardPart: CustomStringConvertible {
    /// For example `experts 0-63 of layers 3-10`.
    public var description: String {
        "experts \(experts.lowerBound)-\(experts.upperBound - 1) of layers "
            + "\(layers.lowerBound)-\(layers.upperBound - 1)"
    }
}

/// The routed experts that a node holds of layers of which it does not hold all.
public struct HeldExperts: Equatable, Sendable {
    /// By layer, ascending ranges that do not touch.
    ///
    /// A layer of the node's slices that is not here has all of its experts; a layer outside of
    /// them has nothing but these.
    public var ranges: [Int: [Range<Int>]]

    /// Describes what a node holds; without words, all experts of its slices and no others.
    public init(ranges: [Int: [Range<Int>]] = [:]) { self.ranges = ranges }
}
