import Foundation
import SkeinCore
import SkeinMembership
import Testing

@testable import SkeinCluster

@Suite struct ShippedFilesTests {
    private static let cluster = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("cluster")

    @Test func theLocalClusterHasFourNodesOnLoopback() throws {
        let path = Self.cluster.appendingPathComponent("local-4.yaml").path
        let topology = try ClusterFile.read(path: path)
        #expect(topology.nodes.count == 4)
        #expect(topology.isLoopback)
        #expect(topology.modelPath == Self.cluster.appendingPathComponent("models/gosling").path)
    }

    @Test func theExpertsLieOnTwoHostsAndOneOfThemOnBoth() throws {
        let path = Self.cluster.appendingPathComponent("experts-4.yaml").path
        let topology = try ClusterFile.read(path: path)
        #expect(topology.isLoopback && topology.ringNodes.map(\.name) == ["a", "b"])
        let config = URL(fileURLWithPath: topology.modelPath).appendingPathComponent("config.json")
        let model = try ModelConfiguration(
            json: Array(try Data(contentsOf: config)), subject: config.path)
        let placement = try topology.placement(of: model)
        #expect(placement.nodes == ["a", "b", "x", "y"])
        for layer in model.layerIsMixture.indices where model.layerIsMixture[layer] {
            let holders = placement.distribution.holders(of: layer, expertCount: 16)
            #expect(holders[7] == [0, 1])
            let others = holders.indices.filter { $0 != 7 }
            #expect(others.allSatisfy { holders[$0] == [$0 < 7 ? 0 : 1] }, "layer \(layer)")
        }
    }

    @Test func theLabHasEightHostsWithKeys() throws {
        let path = Self.cluster.appendingPathComponent("lab-8.yaml").path
        let topology = try ClusterFile.read(path: path)
        #expect(topology.nodes.count == 8)
        #expect(topology.nodes.allSatisfy { $0.publicKey != nil })
        let ranges = try #require(topology.writtenStageLayers)
        #expect(ranges.count == topology.stageCount)
        #expect(ranges.last?.upperBound == 61)
    }
}
