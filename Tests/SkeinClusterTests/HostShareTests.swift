import SkeinCore
import Synchronization
import Testing

@testable import SkeinCluster

/// Which part of a file is a container's.
@Suite struct HostShareTests {
    private static let pods = """
        cluster: pods
        model: /models/m
        placement: linear
        context: 1024
        pages: 256
        keys: keys
        coordinator:
          address: tcp://skein-0.skein:7100
          http: 0.0.0.0:8080
        nodes:
          - {name: skein-0, address: "tcp://skein-0.skein:7101"}
          - {name: second, address: "tcp://skein-1.skein:7101"}
        """

    private static func topology() throws -> Topology {
        try ClusterFile.parseWithoutKeys(Array(pods.utf8), path: "pods.yaml")
    }

    @Test(arguments: [
        (nil, "skein-0", HostShare(nodeNames: ["skein-0"], isHead: true)),
        (nil, "skein-1", HostShare(nodeNames: ["second"], isHead: false)),
        (nil, "skein-1.skein", HostShare(nodeNames: ["second"], isHead: false)),
        ("second", "any", HostShare(nodeNames: ["second"], isHead: false)),
        ("coordinator", "any", HostShare(nodeNames: [], isHead: true)),
    ])
    func aNameOrTheHostsOwnTellsThePart(
        _ name: String?, _ host: String, _ share: HostShare
    ) throws {
        #expect(try HostShare.named(name, hostName: host, in: Self.topology()) == share)
    }

    @Test(arguments: [
        (nil, "elsewhere", "host name 'elsewhere'"), ("third", "skein-0", "node 'third'"),
    ])
    func aNameThatIsNotInTheFileIsRefused(
        _ name: String?, _ host: String, _ subject: String
    ) throws {
        let topology = try Self.topology()
        let refusal = #expect(throws: Refusal.self) {
            try HostShare.named(name, hostName: host, in: topology)
        }
        #expect(refusal?.subject == subject)
        #expect(refusal?.reason.contains("skein-0, second") == true)
    }

    @Test func namesAreLookedUpUntilThoseThatAreNeededAreKnown() async throws {
        let topology = try Self.topology()
        let asked = Mutex<[String]>([])
        let told = Mutex<[String]>([])
        let share = HostShare(nodeNames: ["second"], isHead: false)
        try await share.waitForNames(
            in: topology, every: .milliseconds(1),
            isKnown: { address in
                asked.withLock { asked in
                    asked.append(address.hostName)
                    return asked.count > 5
                }
            }, onWait: { address in told.withLock { $0.append(address.hostName) } })
        #expect(Set(asked.withLock { $0 }) == ["skein-0.skein", "skein-1.skein"])
        #expect(told.withLock { $0 } == ["skein-0.skein"])
    }
}
