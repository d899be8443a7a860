internal import Hummingbird
internal import HummingbirdCore
internal import HummingbirdTLS
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
    nonisolated let routes: FrontRoutes
    nonisolated let identity: ServedIdentity?
    private let host: String
    private let port: Int
    private let settings: FrontSettings
    private let logger: Logger
    private var services: ServiceGroup?
    private var serving: Task<Void, any Error>?

    /// Makes a front that listens once it is started.
    ///
    /// - Parameters:
    ///   - host: an IPv4 address, an IPv6 address with or without brackets, or a name.
    ///   - port: 0 for any free one.
    ///   - apiKeys: the keys by which clients may call; `nil` lets everyone in.
    ///   - settings: TLS, limits and who may call from a browser.
    public init(
        service: ModelService, host: String, port: Int, apiKeys: APIKeys?,
        settings: FrontSettings = FrontSettings(), logger: Logger
    ) {
        routes = FrontRoutes(
            service: service, apiKeys: apiKeys, settings: settings, logger: logger)
        self.settings = settings
        identity = settings.identity.map { ServedIdentity($0) }
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        self.host = isBracketed ? String(host.dropFirst().dropLast()) : host
        self.port = port
        self.logger = logger
    }

    /// Binds the address and begins to answer.
    ///
    /// - Returns: the port.
    /// - Throws: a `Refusal` where the address cannot be bound; a `CancellationError` where the
    ///   task is cancelled before it is, and then nothing listens.
    public func start() async throws -> Int {
        DescriptorLimit.raise()
        await routes.resumeInterrupted()
        let (bound, continuation) = AsyncStream.makeStream(
            of: Int.self, bufferingPolicy: .bufferingOldest(1))
        let application = Application(
            responder: CallbackResponder { [routes] in await routes.respond(to: $0, from: $1) },
            server: try protocolServer(),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port), serverName: "skein",
                availableConnectionsDelegate: .maximum(Limits.httpConnectionsMax, logger: logger)),
            onServerRunning: { [logger] channel in
                do {
                    try await channel.eventLoop.submit {
                        try channel.pipeline.syncOperations.addHandler(
                            AcceptPause(logger: logger), position: .first)
                    }.get()
                } catch {
                    logger.debug("the listening socket is closed: \(error)")
                }
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
        // The waiting task was cancelled before the address was bound: nobody would end the server.
        let wasCancelled = Task.isCancelled
        if wasCancelled { serving.cancel() }
        do {
            try await serving.value
        } catch {
            if wasCancelled { throw CancellationError() }
            throw Refusal(
                address(of: port), "cannot listen there: \(SystemError.words(listening: error))")
        }
        if wasCancelled { throw CancellationError() }
        throw Refusal(address(of: port), "cannot listen there")
    }

    /// Where clients find the front, for example `http://[::1]:8080`.
    ///
    /// - Parameter port: the one that `start()` gave.
    public nonisolated func url(port: Int) -> String {
        "\(settings.identity == nil ? "http" : "https")://\(address(of: port))"
    }

    private nonisolated func address(of port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// HTTP/1.1 within the limits, in TLS where there is a certificate.
    private func protocolServer() throws -> HTTPServerBuilder {
        let headerBytesMax = Limits.httpHeaderBytesMax
        var configuration = HTTP1Channel.Configuration(
            idleTimeout: .nanoseconds(Int64(settings.idleBound.seconds * 1e9)),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: headerBytesMax, maxHeaderListSize: headerBytesMax))
        configuration.additionalChannelHandlers = { [FramingPlacement()] }
        let plain = HTTPServerBuilder.http1(configuration: configuration)
        guard let identity else { return plain }
        return try .tls(plain, tlsConfiguration: identity.configuration)
    }

    /// Takes no more completions, lets running ones finish within a bound, stops to listen, ends.
    ///
    /// Until the last answer is out, a client that asks for another or for `/health` is told that
    /// the server drains, so that a balancer sends its clients elsewhere.
    ///
    /// - Parameter leavesRequests: whether those that run on are left to the head that is started
    ///   next, which has them out of the journal, instead of being broken off.
    public func drain(atMost bound: Duration, leavesRequests: Bool = false) async {
        guard let services, let serving else { return }
        routes.beginDraining()
        let watchdog = Task { [routes] in
            do {
                try await Task.sleep(for: bound)
                if leavesRequests {
                    routes.leaveAllToNextHead()
                } else {
                    await routes.breakOffAll()
                }
                // Who does not read is not waited for.
                try await Task.sleep(for: .seconds(Limits.httpLingerSecondsMax))
            } catch { return }
            serving.cancel()
        }
        await routes.waitUntilIdle()
        await services.triggerGracefulShutdown()
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
