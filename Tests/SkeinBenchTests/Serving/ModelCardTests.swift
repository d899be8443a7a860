import NIOCore
import SkeinCore
import Testing

@testable import SkeinBench

@Suite struct ModelCardTests {
    private static func card(
        _ documents: ScriptedServer.Documents, model: String?
    ) async throws -> ModelCard {
        let server = try await ScriptedServer(documents: documents) { _, _ in .init() }
        var target = ServingTarget(baseURL: server.url, interface: .text)
        target.model = model
        let client = ServingClient(target, loop: server.loop)
        do {
            let card = try await ModelCard.fetch(from: client)
            await client.stop()
            try await server.stop()
            return card
        } catch {
            await client.stop()
            try await server.stop()
            throw error
        }
    }

    @Test func aServerWithoutAListIsMeasuredWhereItsModelIsNamed() async throws {
        #expect(try await Self.card([:], model: "m") == ModelCard(name: "m"))
        let refusal = await #expect(throws: Refusal.self) { try await Self.card([:], model: nil) }
        #expect(refusal?.reason.hasPrefix("answers 404") == true)
    }

    @Test(arguments: ["{}", #"{"data": []}"#, #"{"data": [{"name": "x"}, 4]}"#])
    func aListWithoutAModelIsRefusedWhereNoneIsNamed(_ list: String) async throws {
        let documents = ["/v1/models": list]
        let refusal = await #expect(throws: Refusal.self) {
            try await Self.card(documents, model: nil)
        }
        #expect(refusal?.reason.contains("--model") == true)
        #expect(try await Self.card(documents, model: "m").name == "m")
    }

    @Test(
        arguments: [
            (["/version": #"{"version": "1.2"}"#], "1.2"),
            (["/v1/cluster": #"{"head": {"version": "3.4"}}"#], "3.4"),
            (["/version": #"{"version": 5}"#, "/v1/cluster": "{}"], nil), (["/version": "no"], nil),
        ] as [([String: String], String?)])
    func theVersionIsTakenFromWhereTheServerTellsIt(
        _ documents: [String: String], _ version: String?
    ) async throws {
        let all = documents.merging(ScriptedServer.models) { $1 }
        #expect(try await Self.card(all, model: nil).serverVersion == version)
    }
}
