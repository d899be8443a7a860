internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
public import Logging
internal import NIOCore
public import SkeinCore

/// A small HTTP port for supervisors: is this process alive, is it ready, and its measurements.
///
/// It takes no keys and tells no secrets. Everybody who can reach the address can read it, so it is
/// on loopback unless somebody writes another address down.
public actor StatusFront {
    private let address: TCPAddress
    private let report: @Sendable () async -> StatusReport
    private let logger: Logger
    private var serving: Task<Void, any Error>?

    /// Makes a port that is opened by `start()`.
    ///
    /// - Parameter report: asks the process's own actors, so that an answer shows that they turn.
    public init(
        address: TCPAddress, logger: Logger, report: @escaping @Sendable () async -> StatusReport
    ) {
        self.address = address
        self.report = report
        // The library calls it an error that a port is closed while a client holds it open.
        var logger = logger
        logger.logLevel = .critical
        self.logger = logger
    }

    /// How long the actors of the process have for an answer.
    static let answerBound: Duration = .seconds(5)

    /// Binds the address and begins to answer.
    ///
    /// - Returns: the port.
    /// - Throws: a `Refusal` where the address cannot be bound.
    @discardableResult
    public func start() async throws -> Int {
        let (bound, continuation) = AsyncStream.makeStream(
            of: Int.self, bufferingPolicy: .bufferingOldest(1))
        let host =
            switch address.host {
            case .ipv4(let text), .ipv6(let text), .name(let text): text
            case .all: "0.0.0.0"
            }
        let application = Application(
            responder: CallbackResponder { (request, _: BasicRequestContext) in
                await self.answer(request)
            },
            server: .http1(
                configuration: HTTP1Channel.Configuration(idleTimeout: .seconds(30))),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: Int(address.port ?? 0)), serverName: "skein",
                availableConnectionsDelegate: .maximum(
                    Limits.statusConnectionsMax, logger: logger)),
            onServerRunning: { channel in
                continuation.yield(channel.localAddress?.port ?? 0)
                continuation.finish()
            },
            logger: logger)
        let serving = Task {
            defer { continuation.finish() }
            try await application.run()
        }
        self.serving = serving
        for await port in bound { return port }
        do {
            try await serving.value
        } catch {
            throw Refusal(
                "status \(address.hostAndPort)",
                "cannot listen there: \(SystemError.words(listening: error))")
        }
        throw Refusal("status \(address.hostAndPort)", "cannot listen there")
    }

    /// Closes the port.
    public func stop() { serving?.cancel() }

    // MARK: Rooms

    private nonisolated func answer(_ request: Request) async -> Response {
        guard request.method == .get || request.method == .head else {
            return Self.text("only GET is answered here", .methodNotAllowed)
        }
        switch request.uri.path {
        case "/livez":
            let isAlive = await reportInTime() != nil
            return isAlive
                ? Self.text("ok", .ok) : Self.text("it does not answer", .serviceUnavailable)
        case "/readyz":
            guard let report = await reportInTime() else {
                return Self.text("it does not answer", .serviceUnavailable)
            }
            return Self.text(
                report.waitsFor ?? "ok", report.waitsFor == nil ? .ok : .serviceUnavailable)
        case "/metrics":
            guard let report = await reportInTime() else {
                return Self.text("it does not answer", .serviceUnavailable)
            }
            var response = Self.text("", .ok)
            response.headers[.contentType] = "text/plain; version=0.0.4; charset=utf-8"
            response.body = ResponseBody(byteBuffer: ByteBuffer(string: report.metrics))
            return response
        default:
            return Self.text("there are /livez, /readyz and /metrics", .notFound)
        }
    }

    /// The report, or `nil` where the actors that it asks do not answer within the bound.
    ///
    /// Those that hang are not waited for, so they are asked in a task of their own.
    private nonisolated func reportInTime() async -> StatusReport? {
        let (answers, answer) = AsyncStream.makeStream(
            of: StatusReport?.self, bufferingPolicy: .bufferingOldest(1))
        let asking = Task { [report] in answer.yield(await report()) }
        let bound = Task {
            do { try await Task.sleep(for: Self.answerBound) } catch { return }
            answer.yield(nil)
        }
        defer {
            asking.cancel()
            bound.cancel()
        }
        for await report in answers { return report }
        return nil
    }

    private static func text(_ line: String, _ status: HTTPResponse.Status) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: line + "\n")))
    }
}
