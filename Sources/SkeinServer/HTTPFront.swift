internal import HTTPTypes
internal import Hummingbird
public import Logging
internal import NIOCore
internal import ServiceLifecycle
internal import SkeinCore

/// Serves a model over HTTP, in OpenAI's words.
///
/// ```
///  socket ─► HTTPFront ─► FrontRoutes ─► CompletionCall ─► RunningCompletion ─► Coordinator
///     ▲                                                          │
///     └── EventStreamWriter ◄── CompletionRoute ◄── ChoiceReader ◄┘
/// ```
public actor HTTPFront {
    private let routes: FrontRoutes
    private let address: BindAddress
    private let logger: Logger
    private var services: ServiceGroup?
    private var serving: Task<Void, any Error>?

    /// Makes a front that listens once it is started.
    ///
    /// - Parameters:
    ///   - port: 0 for any free one.
    ///   - apiKeys: the keys by which clients may call; `nil` lets everyone in.
    public init(
        service: ModelService, host: String, port: Int, apiKeys: APIKeys?, logger: Logger
    ) {
        routes = FrontRoutes(service: service, apiKeys: apiKeys)
        address = .hostname(host, port: port)
        self.logger = logger
    }

    /// Binds the address and begins to answer.
    ///
    /// - Returns: the port.
    /// - Throws: a `Refusal` where the address cannot be bound.
    public func start() async throws -> Int {
        let (bound, continuation) = AsyncStream.makeStream(
            of: Int.self, bufferingPolicy: .bufferingOldest(1))
        let application = Application(
            responder: CallbackResponder { [routes] in await routes.respond(to: $0, from: $1) },
            server: .http1(
                configuration: .init(idleTimeout: .seconds(Int64(Limits.httpIdleSecondsMax)))),
            configuration: ApplicationConfiguration(
                address: address, serverName: "skein",
                availableConnectionsDelegate: .maximum(Limits.httpConnectionsMax, logger: logger)),
            onServerRunning: { channel in
                continuation.yield(channel.localAddress?.port ?? 0)
                continuation.finish()
            },
            logger: logger)
        let services = ServiceGroup(
            configuration: .init(services: [.init(service: application)], logger: logger))
        let serving = Task {
            defer { continuation.finish() }
            try await services.run()
        }
        self.services = services
        self.serving = serving
        for await port in bound { return port }
        do {
            try await serving.value
        } catch {
            throw Refusal("\(address)", "cannot listen there: \(error)")
        }
        throw Refusal("\(address)", "cannot listen there")
    }

    /// Stops to listen, lets running requests finish within a bound, and ends.
    public func drain(atMost bound: Duration) async {
        guard let services, let serving else { return }
        routes.beginDraining()
        await services.triggerGracefulShutdown()
        let watchdog = Task { [routes] in
            do { try await Task.sleep(for: bound) } catch { return }
            await routes.cancelAll()
            serving.cancel()
        }
        do {
            try await serving.value
        } catch {
            logger.debug("the HTTP server ended: \(error)")
        }
        watchdog.cancel()
        self.services = nil
        self.serving = nil
    }
}

/// Who calls: the connection and a logger that names the request.
struct Caller: InitializableFromSource {
    let channel: any Channel
    let requestID: String
    let logger: Logger

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        requestID = RandomName.text("req_")
        var logger = source.logger
        logger[metadataKey: "request"] = .string(requestID)
        self.logger = logger
    }
}
