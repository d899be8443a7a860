import SkeinCluster
import SkeinCoordinator
import SkeinCore
import Testing

@testable import SkeinServer

/// Who may tell a cluster what to do over HTTP.
@Suite struct OperationRouteTests {
    private static let paths = ["/v1/cluster/drain?node=x", "/v1/cluster/shutdown"]

    private static func head(remote: Bool = false, keys: APIKeys? = nil) async throws -> TestServer
    {
        var settings = FrontSettings()
        settings.isHead = true
        settings.takesRemoteOrders = remote
        return try await TestServer(apiKeys: keys, settings: settings)
    }

    @Test(arguments: paths) func aServerThatIsNoHeadTakesNoOrders(_ path: String) async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask(path, "")
        #expect(reply.status == 404)
        #expect(try await server.ask("/readyz").status == 200)
    }

    @Test(arguments: ["Origin", "Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
    func ordersThatWerePassedOnAreRefused(_ header: String) async throws {
        let server = try await Self.head()
        for path in Self.paths {
            let reply = try await server.ask(path, "", headers: [header: "192.0.2.1"])
            #expect(reply.status == 403)
        }
        #expect(try await server.ask("/readyz").status == 200)
        await server.stop()
    }

    @Test func holdersOfKeysGiveOrdersFromElsewhereWhereTheyMay() async throws {
        let keys = try APIKeys(text: "secret\n", file: "keys")
        let elsewhere = ["X-Forwarded-For": "192.0.2.1"]
        for (mayBeRemote, status) in [(false, 403), (true, 409)] {
            let server = try await Self.head(remote: mayBeRemote, keys: keys)
            let unknown = try await server.ask(Self.paths[0], "")
            #expect(unknown.status == 401)
            let reply = try await server.ask(Self.paths[0], "", key: "secret", headers: elsewhere)
            #expect(reply.status == status)
            await server.stop()
        }
    }

    @Test func aDrainNamesItsNodeAndIsRefusedWithTheReason() async throws {
        let server = try await Self.head()
        #expect(try await server.ask("/v1/cluster/drain", "").status == 400)
        #expect(try await server.ask(Self.paths[0] + "&force=2", "").status == 400)
        let unknown = try await server.ask(Self.paths[0], "")
        #expect(unknown.status == 409)
        let line = try (unknown.json()["error"] as? [String: Any])?["message"] as? String
        #expect(line?.hasPrefix("node x: is not in this cluster; its nodes are ") == true)
        let name = try #require(await server.cluster.coordinator.status().nodes.first?.name)
        let alone = try await server.ask("/v1/cluster/drain?node=\(name)", "")
        #expect(alone.status == 409)
        let told = try (alone.json()["error"] as? [String: Any])?["message"] as? String
        #expect(told?.contains("has nobody to take its place") == true)
        await server.stop()
    }

    @Test func aShutdownIsNotedAndSaysWhatEnds() async throws {
        let server = try await Self.head()
        let reply = try await server.ask(Self.paths[1], "")
        #expect(reply.status == 202)
        let answer = try reply.json()
        #expect(
            answer["cluster"] as? String == "embedded" && answer["status"] as? String == "ending")
        #expect((answer["nodes"] as? [String])?.count == 2)
        await server.stop()
    }
}
