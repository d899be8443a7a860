import Foundation
import SkeinCore
import SkeinPlanning
import Testing

@testable import SkeinCluster

/// The tables by which files are read and written, against the documents that describe them.
@Suite struct FieldTableTests {
    private static func rows(ofDocument name: String) throws -> [String] {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "cluster/\(name)")
        return try String(contentsOf: path, encoding: .utf8).split(separator: "\n")
            .filter { $0.hasPrefix("| `") }.map(String.init)
    }

    @Test func topologyDotMDShowsTheFieldsOfAClusterFile() throws {
        let rows =
            Topology.table.map(\.documentedRow) + Topology.Coordinator.table.map(\.documentedRow)
            + Topology.Node.table.map(\.documentedRow) + ShardPart.table.map(\.documentedRow)
        #expect(try Self.rows(ofDocument: "topology.md") == rows)
    }

    @Test func hostsDotMDShowsTheFieldsOfAHostsFile() throws {
        let rows =
            HostsFile.table.map(\.documentedRow) + HostEntry.table.map(\.documentedRow)
            + RateEntry.table.map(\.documentedRow) + MachineEntry.table.map(\.documentedRow)
            + LinkRate.table.map(\.documentedRow)
        #expect(try Self.rows(ofDocument: "hosts.md") == rows)
    }

    @Test func everySettingThatIsNotTheDefaultIsWrittenAndReadBack() throws {
        var topology = try ClusterFile.parse(Array(loopback.utf8), path: "/lab/local.yaml")
        topology.serving.microBatchesInFlightMax = 3
        topology.serving.prefillRowsMax = 17
        topology.serving.reusesPrefixes = false
        topology.serving.speculation = .two
        topology.serving.weightForm = .int8
        topology.serving.packedCachePath = "/var/cache/skein & co"
        topology.serving.latentForm = .fp8
        topology.serving.stepsAtOnce = 5
        topology.serving.hopForm = .fp8
        topology.serving.dispatchForm = .fp8
        let text = try topology.checkedYAML(path: "/lab/again.yaml")
        #expect(try ClusterFile.parse(Array(text.utf8), path: "/lab/again.yaml") == topology)
        let plain = try ClusterFile.parse(Array(loopback.utf8), path: "/lab/local.yaml").yaml
        for name in [
            "speculation", "latents", "steps_at_once", "hop", "dispatch", "weights", "packed_cache",
        ] {
            #expect(text.contains("\n\(name): ") && !plain.contains("\(name): "), "\(name)")
        }
    }

    @Test(arguments: [0.000_4, 0.5, 12.345_6, 64, 999_999.999, 5e6, 0, .nan, .infinity])
    func aNumberThatIsWrittenIsOneThatIsRead(_ value: Double) throws {
        let form = FileForm.decimal(0.001...1_000_000, "GB")
        let number = try #require(Double(form.write(value)))
        #expect((0.001...1_000_000).contains(number))
        #expect(form.write(value).utf8.allSatisfy { $0 == 0x2E || (0x30...0x39).contains($0) })
    }

    @Test func aPriceOfNothingStaysNothing() {
        #expect(FileForm.decimal(0...1_000, "money").write(0) == "0")
    }
}
