import ArgumentParser
import Foundation
import SkeinCluster
import SkeinCore
import SkeinPlanning
import SkeinWeights

/// Says who should hold what, and what that will give, before anything is loaded.
struct Plan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Plans a cluster: who holds what, what it needs, what it will give and cost.",
        discussion: """
            Reads a hosts file, as `skein bench host` writes it, and a checkpoint or only its \
            config.json. With --out it writes the cluster file that `skein up` takes. With \
            --cluster it predicts what a given cluster file gives. With --simulate it runs \
            the schedule over a virtual clock. With --delays it compares the placements over \
            slower links. With --compare it shows what was forecast for a cluster file beside what \
            its head measures: --out keeps the forecast in CLUSTER.yaml.forecast.json.
            """)

    @OptionGroup var model: ModelOption

    @Option(help: "A config.json, where there is no checkpoint yet.")
    var config: String?

    @Option(help: "The hosts file; none with --compare.")
    var hosts: String?

    @OptionGroup(title: "Workload") var wish: PlanWishOptions
    @OptionGroup(title: "Constraints") var shape: PlanShapeOptions
    @OptionGroup(title: "Simulation") var simulation: PlanSimulationOptions
    @OptionGroup(title: "Comparison") var comparison: PlanComparisonOptions
    @OptionGroup(title: "Forecast and measurements") var measured: PlanMeasuredOptions

    @Option(help: "Write the cluster file here.")
    var out: String?

    @Option(help: "The cluster's name in that file.")
    var name = "planned"

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if measured.url != nil {
            guard hosts == nil, out == nil, shape.cluster != nil else {
                throw ValidationError(
                    "--compare: expected --cluster, and neither --hosts nor --out beside it")
            }
            return
        }
        guard hosts != nil else { throw ValidationError("expected --hosts") }
        guard config == nil || model.path == nil else {
            throw ValidationError("expected one of --model and --config")
        }
        guard !(comparison.isWanted && (out != nil || simulation.simulate)) else {
            throw ValidationError("--delays: expected neither --out nor --simulate beside it")
        }
        guard !(comparison.isWanted && shape.cluster != nil) else {
            throw ValidationError("--delays: expected no --cluster beside it")
        }
        guard shape.cluster == nil || wish.latents == nil else {
            throw ValidationError(
                "--latents: expected no --cluster beside it, whose file names the form")
        }
    }

    func run() async throws {
        if let url = measured.url, let cluster = shape.cluster {
            let comparison = try await measured.comparison(url: url, clusterFile: cluster)
            return json
                ? try Console.json(comparison) : try Console.standardOutput(comparison.text)
        }
        try ClusterFile.checkName(name, subject: "--name")
        let configuration = try shapeOfModel()
        let file = try HostsFile.read(path: hosts ?? "")
        if comparison.isWanted {
            let report = try PlanComparison(
                configuration: configuration, hosts: file.hosts,
                wish: try wish.wish(shape, of: configuration), options: comparison)
            return json ? try Console.json(report) : try Console.standardOutput(report.text)
        }
        let plan = try plan(configuration, file.hosts)
        let clusterFile = try out.map { path throws(Refusal) in
            try Topology(plan: plan, name: name, modelPath: modelFolder, file: file)
                .checkedYAML(path: path)
        }
        var report = PlanReport(plan)
        if simulation.simulate {
            var simulator = RingSimulator(plan: plan, load: simulation.load(for: plan))
            report.simulation = PlanReport.Simulation(
                simulator.run(), load: simulation.load(for: plan), plan: plan)
        }
        if let out, let clusterFile {
            try Console.write(clusterFile, to: out)
            try Console.write(try Console.text(report), to: KeptForecast.path(beside: out))
        }
        if json { return try Console.json(report) }
        try Console.standardOutput(report.text)
    }

    // MARK: Rooms

    private func shapeOfModel() throws -> ModelConfiguration {
        guard let config else { return try Checkpoint.open(model.folder()).configuration }
        return try ModelConfiguration(json: TextFile.bytes(config), subject: config)
    }

    /// The checkpoint folder that nodes read: the given one, or the one that the config lies in.
    private var modelFolder: String {
        get throws(Refusal) {
            guard let config else {
                return URL(fileURLWithPath: try model.folder()).standardizedFileURL.path
            }
            return URL(fileURLWithPath: config).standardizedFileURL.deletingLastPathComponent()
                .path
        }
    }

    private func plan(
        _ configuration: ModelConfiguration, _ hosts: PlannedHosts
    ) throws -> ClusterPlan {
        guard let path = shape.cluster else {
            return try ClusterPlanner(
                configuration: configuration, hosts: hosts,
                wish: try wish.wish(shape, of: configuration)
            ).plan()
        }
        let topology = try ClusterFile.read(path: path)
        var given = try wish.wish(shape, of: configuration)
        given.serving = topology.serving
        given.hasGivenPages = true
        let ring = try topology.plannedRing(
            of: configuration, on: hosts, file: path)
        return try ClusterPlanner(configuration: configuration, hosts: hosts, wish: given)
            .plan(of: ring)
    }
}
