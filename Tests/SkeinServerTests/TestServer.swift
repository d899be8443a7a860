import Foundation
import FoundationNetworking
import Logging
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinServer
import SkeinText
import Testing

/// A front over the bundled model, on a free port of this machine.
struct TestServer: Sendable {
    /// What came back.
    struct Reply {
        let status: Int
        let headers: [String: String]
        let body: Data

        /// The body as JSON.
        func json(_ location: SourceLocation = #_sourceLocation) throws -> [String: Any] {
            let value = try JSONSerialization.jsonObject(with: body)
            return try #require(value as? [String: Any], sourceLocation: location)
        }

        /// The `id:` lines of a stream.
        var eventIDs: [String] {
            String(decoding: body, as: UTF8.self).split(separator: "\n")
                .filter { $0.hasPrefix("id: ") }.map { String($0.dropFirst(4)) }
        }

        /// The events of a stream, without the mark at its end.
        func events(_ location: SourceLocation = #_sourceLocation) throws -> [[String: Any]] {
            let texts = String(decoding: body, as: UTF8.self).components(separatedBy: "\n\n")
            #expect(texts.suffix(2) == ["data: [DONE]", ""], sourceLocation: location)
            return try texts.dropLast(2).map { text in
                let line = text.split(separator: "\n").last { $0.hasPrefix("data: ") } ?? ""
                let value = try JSONSerialization.jsonObject(with: Data(line.dropFirst(6).utf8))
                return try #require(value as? [String: Any], sourceLocation: location)
            }
        }
    }

    /// One server for all tests that leave nothing behind; it ends with the test program.
    static let shared = Task { try await TestServer() }

    /// The bundled model's folder.
    static let gosling = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "cluster/models/gosling").path()

    let cluster: EmbeddedCluster
    let service: ModelService
    private let front: HTTPFront
    let port: Int
    private let session: URLSession

    /// A further front over a cluster that runs, under other names or without its text.
    init(
        cluster: EmbeddedCluster, names: [String] = ["gosling"], text: TextSetup?,
        settings: FrontSettings = FrontSettings()
    ) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        self.cluster = cluster
        service = ModelService(
            modelName: names[0], aliases: Array(names.dropFirst()),
            coordinator: cluster.coordinator, text: text, configuration: cluster.configuration,
            positionCountMax: 1_024)
        front = HTTPFront(
            service: service, host: "127.0.0.1", port: 0, apiKeys: nil, settings: settings,
            logger: logger)
        port = try await front.start()
        session = URLSession(configuration: .ephemeral)
    }

    init(
        apiKeys: APIKeys? = nil, reusesPrefixes: Bool = true, model folder: String = Self.gosling,
        nodeCount: Int = 2,
        settings: FrontSettings = FrontSettings()
    ) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var layout = ClusterLayout(
            nodeCount: nodeCount, threadCount: 1,
            serving: ServingSettings(positionCount: 1_024, sequenceCount: 4))
        layout.serving.reusesPrefixes = reusesPrefixes
        cluster = try await EmbeddedCluster.start(
            model: folder, layout: layout, softwareVersion: "test",
            logger: logger)
        service = ModelService(
            modelName: "gosling", coordinator: cluster.coordinator,
            text: try Tokenizer.fromFolder(folder), configuration: cluster.configuration,
            positionCountMax: 1_024)
        front = HTTPFront(
            service: service, host: "127.0.0.1", port: 0, apiKeys: apiKeys,
            settings: settings, logger: logger)
        port = try await front.start()
        session = URLSession(configuration: .ephemeral)
    }

    /// Whether something becomes true of the cluster before a bound has passed.
    func becomes(
        within bound: Duration = .seconds(20),
        _ isTrue: @Sendable (ClusterStatus) -> Bool
    ) async -> Bool {
        let end = ContinuousClock.now + bound
        repeat {
            if isTrue(await cluster.coordinator.freshStatus()) { return true }
        } while ContinuousClock.now < end
        return false
    }

    /// Ends the server in good order.
    func stop() async {
        await drain()
        await cluster.stop()
    }

    /// Lets the front end in good order; the cluster goes on.
    func drain(atMost bound: Duration = .seconds(5)) async { await front.drain(atMost: bound) }

    /// Sends a request; one with a body is a POST.
    func ask(
        _ path: String, _ body: String? = nil, method: String? = nil, key: String? = nil,
        headers fields: [String: String] = [:]
    ) async throws -> Reply {
        let url = try #require(URL(string: "http://127.0.0.1:\(port)\(path)"))
        var request = URLRequest(url: url, timeoutInterval: 60)
        request.httpMethod = method ?? (body == nil ? "GET" : "POST")
        request.httpBody = body.map { Data($0.utf8) }
        if let key { request.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization") }
        for (name, value) in fields { request.setValue(value, forHTTPHeaderField: name) }
        let (bytes, response) = try await session.data(for: request)
        let answer = try #require(response as? HTTPURLResponse)
        var headers: [String: String] = [:]
        for (name, value) in answer.allHeaderFields { headers["\(name)".lowercased()] = "\(value)" }
        return Reply(status: answer.statusCode, headers: headers, body: bytes)
    }

    /// A chat's body.
    static func chat(_ question: String, _ fields: String = "\"temperature\": 0") -> String {
        "{\"messages\": [{\"role\": \"user\", \"content\": \"\(question)\"}], \(fields)}"
    }
}

extension TestServer.Reply {
    /// The choices of an answer.
    func choices(_ location: SourceLocation = #_sourceLocation) throws -> [[String: Any]] {
        #expect(status == 200, sourceLocation: location)
        let list = try json(location)["choices"] as? [[String: Any]]
        return try #require(list, sourceLocation: location)
    }

    /// The message of the first choice.
    func message(_ location: SourceLocation = #_sourceLocation) throws -> [String: Any] {
        let message = try choices(location).first?["message"] as? [String: Any]
        return try #require(message, sourceLocation: location)
    }

    /// A field of the first choice's deltas, put together.
    func deltas(_ field: String) throws -> String {
        try events().map { event in
            let choice = (event["choices"] as? [[String: Any]])?.first
            return (choice?["delta"] as? [String: Any])?[field] as? String ?? ""
        }.joined()
    }
}
