import Foundation
import SkeinCore
import SkeinMembership
import SkeinTelemetry
import Testing

@testable import SkeinServer

/// The measurements and the article that tells of them.
@Suite struct MetricsTests {
    private static let article: String = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let path = "Sources/SkeinCore/Skein.docc/Metrics.md"
        let bytes = FileManager.default.contents(
            atPath: root.appending(path: path).path(percentEncoded: false))
        return String(decoding: bytes ?? Data(), as: UTF8.self)
    }()

    /// Kind and labels by name, as the article's tables have them.
    private static let told: [String: (kind: String, labels: Set<String>)] = {
        var rows: [String: (kind: String, labels: Set<String>)] = [:]
        for line in article.split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            let labels = cells[3].split(separator: ",").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            rows[cells[1].trimmingCharacters(in: ["`"])] = (cells[2], Set(labels))
        }
        return rows
    }()

    /// A node that has done something of everything.
    static let busyNode: NodeFigures = {
        var node = NodeFigures(name: "a")
        node.state = .ready
        node.isJoined = true
        (node.loadedBytes, node.totalBytes) = (3, 3)
        node.stages = [.init(index: StageIndex(0), busySeconds: 1, knownSeconds: 4)]
        node.expertBusySeconds = 1
        var traffic = LinkTraffic()
        (traffic.sentFrameCount, traffic.sentByteCount) = (1, 2)
        node.traffic = traffic
        return node
    }()

    /// Only where there are expert hosts, or something is wrong, or told by a node itself.
    private static func isAtTimes(_ name: String) -> Bool {
        let ofNode = StatusReport(busyNode, version: "1").metrics
        return name.hasPrefix("skein_expert_") || name == "skein_health_reasons"
            || ofNode.contains("# TYPE \(name) ")
    }

    @Test func theArticleNamesEveryMeasurementOfANodesOwnPort() throws {
        let page = StatusReport(Self.busyNode, version: "1").metrics
        #expect(page.contains("skein_node_busy_share{node=\"a\"} 0.25\n"))
        _ = try Self.check(page)
    }

    @Test func theArticleNamesEveryMeasurementWithItsKindAndItsLabels() async throws {
        let server = try await TestServer()
        let body = TestServer.chat("What is 47 + 85?", "\"max_tokens\": 4")
        _ = try await server.ask("/v1/chat/completions", body)
        // The nodes have spoken once this is answered.
        _ = try await server.ask("/v1/cluster")
        let page = String(decoding: try await server.ask("/metrics").body, as: UTF8.self)
        await server.stop()
        let seen = try Self.check(page)
        let missing = Self.told.keys.filter { !seen.contains($0) && !Self.isAtTimes($0) }
        #expect(missing.isEmpty, "told of, but not measured: \(missing)")
    }

    /// Compares each family and line of a page with the article.
    ///
    /// - Returns: the families that the page has.
    private static func check(_ page: String) throws -> Set<String> {
        var seen: Set<String> = []
        for line in page.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ").map(String.init)
                let row = try #require(Self.told[words[2]], "\(words[2]) is not in the article")
                #expect(row.kind == words[3], "\(words[2])")
                seen.insert(words[2])
            } else if !line.hasPrefix("#") {
                let name = line.prefix { $0 != "{" && $0 != " " }
                let family = Self.told.keys.filter { name.hasPrefix($0) }.max {
                    $0.count < $1.count
                }
                let labels = line.matches(of: #/[{,](?<name>[a-z_]+)="/#).map {
                    String($0.output.name)
                }
                let row = try #require(Self.told[family ?? ""], "\(line)")
                #expect(Set(labels).subtracting(["le"]) == row.labels, "\(line)")
            }
        }
        return seen
    }

    @Test(arguments: HealthReason.Code.allCases.map(\.rawValue))
    func theArticleNamesEveryReason(code: String) {
        #expect(Self.article.contains("`\(code)`"))
    }
}
