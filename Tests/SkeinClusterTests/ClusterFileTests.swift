import SkeinCore
import Testing

@testable import SkeinCluster

@Suite struct ClusterFileTests {
    @Test(arguments: brokenFiles)
    func aBrokenFileIsRefusedInOneLineThatNamesLineAndField(_ broken: BrokenFile) {
        let refusal = #expect(throws: Refusal.self) {
            try ClusterFile.parse(Array(broken.text.utf8), path: "lab.yaml")
        }
        let line = refusal?.description ?? ""
        #expect(line.hasPrefix("lab.yaml:\(broken.line): \(broken.field): "))
        #expect(line.contains(broken.reason))
        #expect(!line.contains { $0.isNewline })
        #expect(line.count < 400)
    }

    @Test func bytesThatAreNotTextAreRefusedOnTheirLine() {
        let bytes = Array("cluster: a\nmodel: ".utf8) + [0xC3, 0x28] + Array("\n".utf8)
        let refusal = #expect(throws: Refusal.self) {
            try ClusterFile.parse(bytes, path: "lab.yaml")
        }
        #expect(
            refusal?.description.hasPrefix("lab.yaml:2: file: found bytes that are not UTF-8")
                == true)
    }

    @Test func aMissingFileIsRefusedByItsName() {
        let refusal = #expect(throws: Refusal.self) {
            try ClusterFile.read(path: "/nowhere/lab.yaml")
        }
        #expect(refusal?.subject == "/nowhere/lab.yaml")
    }

    @Test func aFolderIsNoClusterFile() {
        #expect(throws: Refusal.self) { try ClusterFile.read(path: "/") }
    }

    @Test func aFileThatNeverEndsIsRefused() {
        let refusal = #expect(throws: Refusal.self) { try ClusterFile.read(path: "/dev/zero") }
        #expect(refusal?.reason.contains("more than") == true)
    }

    @Test func aLoopbackFileIsReadAsWritten() throws {
        let topology = try ClusterFile.parse(Array(loopback.utf8), path: "/lab/local.yaml")
        #expect(topology.name == "local-2")
        #expect(topology.modelPath == "/lab/models/gosling")
        #expect(topology.placement == .linear)
        #expect(topology.serving.positionCount == 1024)
        #expect(topology.serving.pageCount == 256)
        #expect(topology.serving.microBatchesInFlightMax == 8)
        #expect(topology.serving.prefillRowsMax == 256)
        #expect(topology.keysPath == nil)
        #expect(topology.isLoopback)
        #expect(topology.coordinator.httpAddress?.hostAndPort == "127.0.0.1:8080")
        #expect(topology.nodes.map(\.name) == ["a", "b"])
        #expect(topology.nodes[0].threadCount == 1)
        #expect(topology.modelPath(of: topology.nodes[1]) == "/srv/models/gosling")
        #expect(topology.writtenStageLayers == [0..<2, 2..<4])
    }

    @Test(arguments: [("", true), ("prefix_cache: on\n", true), ("prefix_cache: off\n", false)])
    func thePrefixCacheIsOnUnlessTheFileSaysOff(_ line: String, _ isOn: Bool) throws {
        let topology = try ClusterFile.parse(Array((line + loopback).utf8), path: "/lab/local.yaml")
        #expect(topology.serving.reusesPrefixes == isOn)
        let again = try ClusterFile.parse(Array(topology.yaml.utf8), path: "/lab/local.yaml")
        #expect(again == topology)
    }

    @Test(arguments: [("", LatentForm.bf16), ("latents: bf16\n", .bf16), ("latents: fp8\n", .fp8)])
    func latentsAreKeptInBFloat16UnlessTheFileSaysFP8(_ line: String, _ form: LatentForm) throws {
        let topology = try ClusterFile.parse(Array((line + loopback).utf8), path: "/lab/local.yaml")
        #expect(topology.serving.latentForm == form)
        let again = try ClusterFile.parse(Array(topology.yaml.utf8), path: "/lab/local.yaml")
        #expect(again == topology)
    }

    @Test(arguments: [("", RowForm.bf16), ("hop: bf16\n", .bf16), ("hop: fp8\n", .fp8)])
    func hopsAreBF16UnlessTheFileSaysFP8(_ line: String, _ form: RowForm) throws {
        let topology = try ClusterFile.parse(Array((line + loopback).utf8), path: "/lab/local.yaml")
        #expect(topology.serving.hopForm == form && topology.serving.dispatchForm == .bf16)
        let again = try ClusterFile.parse(Array(topology.yaml.utf8), path: "/lab/local.yaml")
        #expect(again == topology)
    }

    @Test func aFileOfSeveralHostsKeepsItsKeysAndItsV() throws {
        let topology = try ClusterFile.parse(Array(hosts.utf8), path: "/lab/hosts.yaml")
        #expect(!topology.isLoopback)
        #expect(topology.keysPath == "/lab/keys")
        #expect(topology.nodes[1].publicKey == "Skein&*[{Example}]#KeyOfNodeB00000000000")
        #expect(topology.stageCount == 4)
        #expect(topology.writtenStageLayers == [0..<10, 10..<30, 30..<50, 50..<61])
    }

    /// A node's key begins as `skein keys new` happens to draw it.
    @Test(arguments: ["'", "\""]) func aKeyMayBeginWithAnyTwoOfItsCharacters(_ quote: String) throws
    {
        let characters =
            "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
        // Five characters are four bytes: the last three are too large to come first.
        for first in characters.dropLast(3) {
            for second in ":*&[{#?" {
                let key = "\(first)\(second)einExampleKeyOfNodeA000000000000000000"
                let text = hosts.replacing(
                    "\"SkeinExampleKeyOfNodeA000000000000000000\"", with: quote + key + quote)
                let topology = try ClusterFile.parse(Array(text.utf8), path: "lab.yaml")
                #expect(topology.nodes[0].publicKey == key)
            }
        }
    }

    @Test(arguments: ["x: {'a':*b}", "x: {'a': *b}", "x: ['a',*b]", "x: 'a\n  b': *c", "*b: 1"])
    func anAliasBesideQuotationMarksIsRefused(_ line: String) {
        #expect(throws: Refusal.self) {
            try ClusterFile.parse(Array((hosts + "\n" + line + "\n").utf8), path: "lab.yaml")
        }
    }

    @Test func nodesMayTakeAnyFreePort() throws {
        let anyPort = loopback.replacing("7101", with: "*").replacing("7102", with: "*")
        let topology = try ClusterFile.parse(Array(anyPort.utf8), path: "/lab/local.yaml")
        #expect(topology.nodes.allSatisfy { $0.address.port == nil })
    }

    @Test func withoutLayersTheCutIsLeftOpen() throws {
        let open = loopback.replacing("    layers: 0-1\n", with: "")
            .replacing("    layers: 2-3\n", with: "")
        let topology = try ClusterFile.parse(Array(open.utf8), path: "/lab/local.yaml")
        #expect(topology.writtenStageLayers == nil)
    }

    @Test func expertsLieBesideTheRing() throws {
        let topology = try ClusterFile.parse(Array(experts.utf8), path: "/lab/experts.yaml")
        #expect(topology.ringNodes.map(\.name) == ["a", "b"])
        #expect(topology.writtenStageLayers == [0..<3, 3..<6])
        #expect(topology.nodes[1].isExpertHostAlone)
        #expect(
            topology.nodes[1].shard == [
                ShardPart(layers: 1..<6, experts: 0..<8), ShardPart(layers: 3..<4, experts: 8..<9),
            ])
        #expect(topology.nodes[2].shard == [ShardPart(layers: 1..<6, experts: 7..<12)])
        #expect(topology.serving.stepsAtOnce == 3 && topology.serving.dispatchForm == .fp8)
    }

    @Test func aStandbyHoldsNothing() throws {
        let topology = try ClusterFile.parse(Array(standbys.utf8), path: "/lab/standbys.yaml")
        #expect(topology.nodes.map(\.isStandby) == [false, false, true])
        #expect(topology.ringNodes.map(\.name) == ["a", "b"])
        #expect(topology.writtenStageLayers == [0..<2, 2..<4])
    }

    @Test(arguments: [loopback, hosts, experts, standbys])
    func whatIsWrittenReadsBackTheSame(_ text: String) throws {
        let topology = try ClusterFile.parse(Array(text.utf8), path: "/lab/file.yaml")
        let again = try ClusterFile.parse(Array(topology.yaml.utf8), path: "/elsewhere/file.yaml")
        #expect(again == topology)
    }

    @Test func awkwardTextsSurviveWriting() throws {
        var topology = try ClusterFile.parse(Array(hosts.utf8), path: "/lab/file.yaml")
        topology.name = "null"
        topology.modelPath = "/srv/it's a \"model\": # & *x, [&y \\ naïve \u{7}"
        let again = try ClusterFile.parse(Array(topology.yaml.utf8), path: "/lab/file.yaml")
        #expect(again == topology)
    }

    @Test func lineEndsOfOtherSystemsAreFine() throws {
        let text = loopback.replacing("\n", with: "\r\n")
        #expect(
            try ClusterFile.parse(Array(text.utf8), path: "/lab/local.yaml").serving.pageCount
                == 256)
    }

    @Test func commentsMayHoldAnything() throws {
        let text = loopback.replacing("pages: 256", with: "pages: 256  # *bold* &co, R&D \"x\"")
        #expect(
            try ClusterFile.parse(Array(text.utf8), path: "/lab/local.yaml").serving.pageCount
                == 256)
    }
}
