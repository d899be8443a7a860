import Foundation
import SkeinCore
import SkeinMembership
import SkeinPlanning
import Testing

@testable import SkeinCluster

/// Plans as cluster files.
@Suite("Topology+Plan")
struct TopologyPlanTests {
    private static let hosts = """
        hosts:
          - {name: a, address: "tcp://127.0.0.1:7101", role: stages}
          - {name: b, address: "tcp://127.0.0.1:7102", role: stages}
          - {name: x, address: "tcp://127.0.0.1:7103", role: experts}
          - {name: y, address: "tcp://127.0.0.1:7104", role: experts}
        defaults:
          memory_gb: 64
          cores: 8
          read_gb_per_second: 100
          bfloat16: {gflops: 1000}
          float32: {gflops: 500}
        link: {latency_ms: 0.1, gbit_per_second: 10}
        """

    private static func model() throws -> ModelConfiguration {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "cluster/models/bench/config.json")
        return try ModelConfiguration(
            json: Array(try Data(contentsOf: path)), subject: "config.json")
    }

    @Test func expertsOfAPlanAreWrittenAndReadBack() throws {
        let model = try Self.model()
        let file = try HostsFile(parsing: Array(Self.hosts.utf8), path: "/lab/hosts.yaml")
        var wish = PlanWish(positionCount: 1_024, sequenceCount: 16, expertHostCount: 2)
        wish.serving.latentForm = .fp8
        let plan = try ClusterPlanner(
            configuration: model, hosts: file.hosts,
            wish: wish
        ).plan()
        try #require(plan.ring.expertHosts == [2, 3])
        let topology = try Topology(
            plan: plan, name: "planned", modelPath: "/models/bench", file: file)
        #expect(topology.nodes.filter(\.isExpertHostAlone).map(\.name) == ["x", "y"])
        let again = try ClusterFile.parse(Array(topology.yaml.utf8), path: "/lab/planned.yaml")
        #expect(again == topology && again.serving.latentForm == .fp8)
        let placement = try again.placement(of: model)
        #expect(placement.nodes == ["a", "b", "x", "y"])
        let ring = try again.plannedRing(of: model, on: file.hosts, file: "planned.yaml")
        let counts = (0..<4).map { host in
            [plan.ring, ring].map {
                $0.heldExpertCount(
                    ofHost: host, layerIsMixture: model.layerIsMixture,
                    expertCount: model.routing?.expertCount ?? 0)
            }
        }
        #expect(counts.allSatisfy { $0[0] == $0[1] }, "\(counts)")
        #expect(ring.nodeHosts == plan.ring.nodeHosts)
        #expect(ring.serving == plan.ring.serving)
    }

    @Test func theFormOfHopsGoesThroughAPlanIntoTheFileAndBack() throws {
        let model = try Self.model()
        let file = try HostsFile(parsing: Array(Self.hosts.utf8), path: "/lab/hosts.yaml")
        var wish = PlanWish(positionCount: 1_024, sequenceCount: 4, expertHostCount: 0)
        wish.serving.hopForm = .fp8
        let plan = try ClusterPlanner(
            configuration: model, hosts: file.hosts, wish: wish
        ).plan()
        #expect(plan.ring.serving.hopForm == .fp8)
        var topology = try Topology(
            plan: plan, name: "planned", modelPath: "/models/bench", file: file)
        topology.serving.dispatchForm = .fp8
        #expect(topology.yaml.contains("\nhop: fp8\ndispatch: fp8\n"))
        let again = try ClusterFile.parse(Array(topology.yaml.utf8), path: "/lab/planned.yaml")
        let ring = try again.plannedRing(of: model, on: file.hosts, file: "planned.yaml")
        #expect(ring.serving.hopForm == .fp8 && ring.serving.dispatchForm == .fp8)
    }

    /// A plan from a hosts file, as the text of its cluster file.
    private static func written(_ hosts: String) throws -> String {
        let file = try HostsFile(parsing: Array(hosts.utf8), path: "/lab/hosts.yaml")
        let plan = try ClusterPlanner(
            configuration: model(), hosts: file.hosts,
            wish: PlanWish(positionCount: 1_024, sequenceCount: 4, expertHostCount: 0)
        ).plan()
        return try Topology(plan: plan, name: "planned", modelPath: "/models/bench", file: file)
            .checkedYAML(path: "/lab/planned.yaml")
    }

    @Test(arguments: [
        ("7101", "7100", "7101", "8080"), ("7102", "8080", "7100", "8081"),
        ("127.0.0.1:7101", "127.0.0.1:*", "7100", "8080"),
    ])
    func theCoordinatorTakesPortsThatNoNodeHas(
        old: String, new: String, port: String, http: String
    ) throws {
        let text = try Self.written(Self.hosts.replacing(old, with: new))
        let topology = try ClusterFile.parse(Array(text.utf8), path: "/lab/planned.yaml")
        #expect(topology.coordinator.address.description == "tcp://127.0.0.1:\(port)")
        #expect(topology.coordinator.httpAddress?.hostAndPort == "127.0.0.1:\(http)")
    }

    @Test(arguments: [
        ("tcp://127.0.0.1", "tcp://192.0.2.1", "/lab/hosts.yaml:1: coordinator"),
        ("link:", "keys: keys\nlink:", "/lab/hosts.yaml:1: coordinator"),
        (
            "link:",
            "coordinator: {address: tcp://127.0.0.1:7100, public_key: "
                + "\"SkeinExampleKeyOfCoordinator000000000000\"}\nlink:",
            "/lab/hosts.yaml:2: hosts[0].public_key"
        ),
    ])
    func aPlanWhosePeersLackKeysIsRefusedInTheHostsFile(
        old: String, new: String, subject: String
    ) throws {
        let refusal = #expect(throws: Refusal.self) {
            try Self.written(Self.hosts.replacing(old, with: new))
        }
        #expect(refusal?.subject == subject)
        #expect(refusal?.reason.contains("skein keys new") == true)
    }

    @Test(arguments: ["", "two words", "../up", ".hidden", String(repeating: "n", count: 65)])
    func aNameThatNoClusterFileTakesIsRefused(_ name: String) {
        let refusal = #expect(throws: Refusal.self) {
            try ClusterFile.checkName(name, subject: "--name")
        }
        #expect(refusal?.subject == "--name")
    }
}
