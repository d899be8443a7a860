internal import Foundation
public import SkeinCore
internal import SkeinTensor
public import SkeinWeights

/// How a model is laid out on this machine alone.
public struct ClusterLayout: Sendable {
    /// Nodes that share the layers.
    public var nodeCount: Int
    /// How slices lie on nodes.
    public var kind: PlacementKind
    /// Whether each node is a process of its own, over ZeroMQ on loopback.
    public var usesProcesses: Bool
    /// Compute threads of each process.
    public var threadCount: Int
    /// Positions that one sequence may have.
    public var positionCountMax: Int
    /// Sequences of full length that the latent cache holds at once.
    public var fullSequenceCount: Int
    /// Rows of a prefill micro-batch at most.
    public var prefillRowsMax: Int
    /// Whether requests of one client share the latent rows of equal beginnings.
    public var reusesPrefixes = true
    /// The form in which weights are kept.
    public var weightForm = WeightForm.native

    /// Describes a layout.
    public init(
        nodeCount: Int = 1, kind: PlacementKind = .linear, usesProcesses: Bool = false,
        threadCount: Int? = nil, positionCountMax: Int, fullSequenceCount: Int = 1,
        prefillRowsMax: Int = 256
    ) {
        self.nodeCount = nodeCount
        self.kind = kind
        self.usesProcesses = usesProcesses
        // Processes of one machine share its cores; a process of its own takes all of them.
        self.threadCount =
            threadCount ?? max(1, Self.coreCount / (usesProcesses ? nodeCount : 1))
        self.positionCountMax = positionCountMax
        self.fullSequenceCount = fullSequenceCount
        self.prefillRowsMax = prefillRowsMax
    }

    /// Cores that this process may use.
    public static var coreCount: Int { ProcessInfo.processInfo.activeProcessorCount }

    /// Pages for all sequences at full length.
    public var pageCount: Int {
        let rows = Limits.pageRowCount
        return (positionCountMax + rows - 1) / rows * fullSequenceCount
    }

    /// Stages of the ring.
    public var stageCount: Int { kind.stageCount(nodeCount: nodeCount) }

    /// The slices in ring order.
    ///
    /// - Throws: a `Refusal` where there are more stages than layers.
    public func slices(of configuration: ModelConfiguration) throws(Refusal) -> [Slice] {
        guard stageCount <= configuration.layerCount else {
            throw Refusal(
                "--stages",
                "\(nodeCount) nodes make \(stageCount) \(kind.rawValue) stages, the model has "
                    + "\(configuration.layerCount) layers")
        }
        return Slice.even(layerCount: configuration.layerCount, count: stageCount)
    }

    /// The slices that one node holds.
    public func slices(ofNode node: Int, in slices: [Slice]) -> [Slice] {
        slices.indices
            .filter { kind.node(of: StageIndex($0), nodeCount: nodeCount) == node }
            .map { slices[$0] }
    }

    /// Refuses a layout that this machine's memory cannot hold, with the sum.
    public func checkMemory(of checkpoint: Checkpoint) throws(Refusal) {
        let configuration = checkpoint.configuration
        let arithmetic = ModelArithmetic(configuration)
        let slices = try slices(of: configuration)
        var sum = 0
        for node in 0..<nodeCount {
            let mine = self.slices(ofNode: node, in: slices)
            let plan = WeightPlan(configuration: configuration, slices: mine)
            let weightBytes = try checkpoint.heldBytes(plan, as: weightForm)
            sum +=
                arithmetic.memory(
                    of: mine, pageCount: pageCount, weightBytes: weightBytes,
                    activationRowCount: prefillRowsMax
                )
                .totalBytes
        }
        guard let available = MachineMemory.now().availableBytes else { return }
        guard sum <= available else {
            throw Refusal(
                "memory",
                "weights, latent cache and \(nodeCount) node(s) need \(ByteText(sum)), this "
                    + "machine has \(ByteText(available)) available")
        }
    }
}

/// A number of bytes for people, in decimal units.
public struct ByteText: CustomStringConvertible, Sendable {
    private let byteCount: Int

    /// Wraps a number of bytes.
    public init(_ byteCount: Int) { self.byteCount = byteCount }

    /// For example `21.2 MB`.
    public var description: String {
        let units = ["B", "kB", "MB", "GB", "TB", "PB"]
        var value = Double(byteCount)
        var unit = 0
        while value >= 1_000, unit < units.count - 1 {
            value /= 1_000
            unit += 1
        }
        guard unit > 0 else { return "\(byteCount) B" }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }
}
