internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import SkeinCore
internal import SkeinTelemetry

/// Who calls: the connection, the request's name, and a logger that tells it.
struct Caller: InitializableFromSource, Sendable {
    let channel: any Channel
    /// When the request's head was read.
    let received = ContinuousClock.now
    /// A name that no other request has, whatever clients call theirs.
    let key = AnswerForm.newRequestName()
    /// The name in logs and answers: the client's own, where it gives a usable one.
    private(set) var requestID: String
    /// What was asked for.
    private(set) var path = ""
    private(set) var logger: Logger

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        requestID = key
        logger = source.logger
    }

    /// The same caller with the request's path and name.
    func named(_ request: Request) -> Caller {
        var caller = self
        caller.path = String(request.uri.path.prefix(200))
        if let name = request.headers[.requestID],
            (1...Limits.requestNameCharactersMax).contains(name.utf8.count),
            name.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        {
            caller.requestID = name
        }
        caller.logger[metadataKey: "hb.request.id"] = nil
        caller.logger[metadataKey: "request"] = .string(caller.requestID)
        caller.logger[metadataKey: "path"] = .string(caller.path)
        return caller
    }

    /// Closes the connection after a while, unless cancelled before.
    func closeConnection(after delay: Duration) -> Task<Void, Never> {
        Task {
            do { try await Task.sleep(for: delay) } catch { return }
            channel.close(promise: nil)
        }
    }
}

extension Caller {
    /// One line for a request that was refused.
    func logRefusal(_ error: APIError) {
        logger.info(
            "refused",
            metadata: [
                "status": .stringConvertible(error.status), "reason": "\(error.message)",
            ])
    }

    /// One line for a completion, whole or broken off.
    func log(_ route: CompletionRoute, brokenBy error: (any Error)? = nil) {
        let usage = route.usage
        var metadata: Logger.Metadata = [
            "status": .stringConvertible(200),
            "prompt_tokens": .stringConvertible(usage.promptTokenCount),
            "completion_tokens": .stringConvertible(usage.completionTokenCount),
            "seconds": .milliseconds(route.age),
            "finish": "\(Set(route.finishWords).sorted().joined(separator: ","))",
        ]
        let firsts = route.timelines.compactMap(\.timeToFirstToken)
        if let first = firsts.min() { metadata["ttft_seconds"] = .milliseconds(first) }
        let paces = route.timelines.compactMap(\.timePerOutputToken)
        if !paces.isEmpty {
            let sum = paces.reduce(Duration.zero, +)
            metadata["tpot_seconds"] = .milliseconds(sum / paces.count)
        }
        if let error { metadata["reason"] = "\((error as? APIError)?.message ?? "\(error)")" }
        logger.info(error == nil ? "answered" : "broken off", metadata: metadata)
    }
}

extension Logger.MetadataValue {
    /// Seconds, to the millisecond.
    fileprivate static func milliseconds(_ duration: Duration) -> Logger.MetadataValue {
        .stringConvertible((duration.seconds * 1e3).rounded() / 1e3)
    }
}

extension HTTPField.Name {
    /// The name of a request, given by the client or else by the server.
    static let requestID = known("x-request-id")

    /// A client's key, as Anthropic's clients send it.
    static let apiKey = known("x-api-key")

    /// By what a client recognises a request that it asks again.
    static let idempotencyKey = known("idempotency-key")

    /// The last event that a client has of a stream.
    static let lastEventID = known("last-event-id")

    /// Fields of a request that meant nothing to the server.
    static let ignoredFields = known("x-ignored-fields")

    private static func known(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else {
            preconditionFailure("a header's name has letters and hyphens only")
        }
        return name
    }
}
