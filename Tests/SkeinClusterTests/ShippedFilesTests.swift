import Foundation
import SkeinCore
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
