public import SkeinCore

/// The load that a cluster is planned for, and what of its shape is decided already.
public struct PlanWish: Equatable, Sendable {
    /// How the cluster serves; its pages count only where they are decided.
    public var serving: ServingSettings

    /// Whether the pages of `serving` are decided; else all sequences fit at full length.
    public var hasGivenPages = false

    /// Sequences of full length that the cache holds, and that decode together in the forecast.
    public var sequenceCount: Int

    /// Tokens of a prompt, in the forecast.
    public var promptTokenCount: Int

    /// Tokens of a completion, in the forecast.
    public var newTokenCount: Int

    /// How slices lie on nodes, where that is decided.
    public var kind: PlacementKind?

    /// Nodes of the ring, where that is decided.
    public var nodeCount: Int?

    /// Hosts that hold experts alone, where that is decided.
    public var expertHostCount: Int?

    /// Describes a wish.
    public init(
        positionCount: Int, sequenceCount: Int, promptTokenCount: Int = 512,
        newTokenCount: Int = 128, kind: PlacementKind? = nil, nodeCount: Int? = nil,
        expertHostCount: Int? = nil
    ) {
        serving = ServingSettings(positionCount: positionCount, sequenceCount: sequenceCount)
        self.sequenceCount = sequenceCount
        self.promptTokenCount = promptTokenCount
        self.newTokenCount = newTokenCount
        self.kind = kind
        self.nodeCount = nodeCount
        self.expertHostCount = expertHostCount
    }

    /// The settings of the cluster, with its pages.
    public var settings: ServingSettings {
        var settings = serving
        if !hasGivenPages {
            settings.pageCount =
                PageIndex.count(ofRows: serving.positionCount) * sequenceCount
        }
        return settings
    }

    /// Positions of a sequence in the mean over its completion.
    var meanPositionCount: Double {
        Double(promptTokenCount) + Double(newTokenCount) / 2
    }
}
