import ArgumentParser
import SkeinCluster
import SkeinCore
import SkeinMembership
import SkeinText
import SkeinWeights

/// Says what a model is and what it needs, before anything is loaded.
struct Inspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says what a model is and needs: parameters, FLOPs, cache, bytes a slice.",
        discussion: """
            How the model is laid out is said by --stages, --placement and --experts, or by a \
            cluster file, which also names the model unless --model or --config does.
            """)

    @OptionGroup var model: ModelOption

    @Option(help: "A config.json, where there is no checkpoint yet.")
    var config: String?

    @Option(help: "Nodes that share the layers (default: 1).")
    var stages: Int?

    @Option(help: "How slices lie on nodes: linear or vfold (default: linear).")
    var placement: PlacementKind?

    @Option(help: "Expert hosts beside the stages (default: 0).")
    var experts: Int?

    @Option(
        name: .customLong("context"),
        help: "Positions in the latent cache (default: as many as the model allows).")
    var contextPositions: Int?

    @Option(help: "In which form the latent cache keeps its rows: bf16 or fp8 (default: bf16).")
    var latents: LatentForm?

    @Option(help: "A cluster file, whose nodes are shown.")
    var cluster: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard config == nil || model.path == nil else {
            throw ValidationError("expected one of --model and --config")
        }
        if let stages, !(1...Limits.nodesMax).contains(stages) {
            throw ValidationError("--stages: expected 1 to \(Limits.nodesMax), found \(stages)")
        }
        let most = Limits.nodesMax - (stages ?? 1)
        if let experts, !(0...most).contains(experts) {
            throw ValidationError("--experts: expected 0 to \(most), found \(experts)")
        }
        if let contextPositions, !(1...Limits.positionsMax).contains(contextPositions) {
            throw ValidationError("--context: expected 1 to \(Limits.positionsMax)")
        }
        let isLaidOut =
            stages != nil || placement != nil || experts != nil || contextPositions != nil
            || latents != nil
        guard cluster == nil || !isLaidOut else {
            throw ValidationError(
                "--cluster: expected none of --stages, --placement, --experts, --context and "
                    + "--latents beside it")
        }
    }

    func run() async throws {
        let topology = try cluster.map { path throws(Refusal) in try ClusterFile.read(path: path) }
        let folder =
            config == nil ? try model.path ?? topology?.modelPath ?? model.folder() : nil
        let checkpoint = try folder.map { path throws(Refusal) in try Checkpoint.open(path) }
        let shape: ModelConfiguration
        if let checkpoint {
            shape = checkpoint.configuration
        } else {
            let path = config ?? ""
            shape = try ModelConfiguration(json: TextFile.bytes(path), subject: path)
        }
        let report = try InspectReport(
            shape, checkpoint: checkpoint,
            text: try folder.flatMap { path throws(Refusal) in try TextSetup.inFolder(path) },
            layout(shape, topology))
        if json { return try Console.json(report) }
        try Console.standardOutput(report.text)
    }

    /// Who would hold what: by the file, or by the options.
    private func layout(
        _ shape: ModelConfiguration, _ topology: Topology?
    ) throws(Refusal) -> InspectedLayout {
        if let topology {
            try topology.serving.check(shape, subject: "\(cluster ?? ""): context")
            return InspectedLayout(
                placement: try topology.placement(of: shape), serving: topology.serving)
        }
        let positions = try shape.contextLength(contextPositions)
        var serving = ServingSettings(positionCount: positions, sequenceCount: 1)
        serving.latentForm = latents ?? .bf16
        let layout = ClusterLayout(
            nodeCount: stages ?? 1, expertHostCount: experts ?? 0, kind: placement ?? .linear,
            serving: serving)
        return InspectedLayout(placement: try layout.placement(of: shape), serving: serving)
    }
}

/// Who would hold what, and how much each node must have room for.
struct InspectedLayout {
    let placement: Placement
    let serving: ServingSettings
}
