import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SkeinCore

/// An answer of another status than 200.
struct HTTPStatusError: Error, Equatable {
    let address: String
    let status: Int
    /// The beginning of what it says.
    let text: String

    /// One line for a person.
    var refusal: Refusal { Refusal(address, "answers \(status): \(text)") }
}

/// Speaks to the server that is measured, on one event loop that does nothing else.
///
/// Bytes get their time on that loop the moment they are read, before anything looks at them.
final class ServingClient: Sendable {
    /// Where everything happens.
    let loop: any EventLoop
    let target: ServingTarget
    private let http: HTTPClient

    init(
        _ target: ServingTarget,
        loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()
    ) {
        self.target = target
        self.loop = loop
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: target.security, timeout: .init(connect: .seconds(10)),
            // Servers close idle connections, some after five seconds; a request on a connection
            // that is just being closed would fail through nobody's fault.
            connectionPool: .init(
                idleTimeout: .seconds(3),
                concurrentHTTP1ConnectionsPerHostSoftLimit: Limits.loadConnectionsMax))
        // A server that refuses connections is to be told of at once.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.maximumUsesPerConnection = nil
        http = HTTPClient(eventLoopGroup: loop, configuration: configuration)
    }

    /// Closes all connections.
    func stop() async {
        do {
            try await http.shutdown()
        } catch {
            // What was open is closed with the program.
        }
    }

    /// Begins a streamed request, whose answer goes to `answer`.
    func stream(
        body: String, to answer: StreamedAnswer
    ) throws(ServingFailure) -> HTTPClient.Task<StreamedAnswer.Outcome> {
        var request = try request(.POST, target.endpoint)
        request.headers.replaceOrAdd(name: "content-type", value: "application/json")
        request.headers.replaceOrAdd(name: "accept", value: "text/event-stream")
        request.body = .string(body)
        return http.execute(
            request: request, delegate: answer, eventLoop: .delegateAndChannel(on: loop),
            deadline: .now() + .nanoseconds(Int64(target.timeout / .nanoseconds(1))))
    }

    /// Asks for a small JSON document.
    ///
    /// - Throws: an `HTTPStatusError` where it answers with another status than 200, else a
    ///   `Refusal` that names the address, where it does not answer with such a document.
    func json(_ path: String, body: JSONValue? = nil) async throws -> JSONValue {
        let place = target.baseURL + path
        do {
            var request = try request(body == nil ? .GET : .POST, path)
            if let body {
                request.headers.replaceOrAdd(name: "content-type", value: "application/json")
                request.body = .string(body.line)
            }
            let response = try await http.execute(
                request: request,
                delegate: ResponseAccumulator(
                    request: request, maxBodySize: Limits.serverAnswerBytesMax),
                eventLoop: .delegateAndChannel(on: loop), deadline: .now() + .seconds(30)
            ).get()
            let bytes = response.body.map { Array($0.readableBytesView) } ?? []
            guard response.status == .ok else {
                throw HTTPStatusError(
                    address: place, status: Int(response.status.code),
                    text: String(decoding: bytes.prefix(300), as: UTF8.self))
            }
            return try JSONValue(parsing: bytes, subject: place, rules: .lenient)
        } catch  where !(error is Refusal || error is HTTPStatusError) {
            throw Refusal(place, ServingFailure(error).detail)
        }
    }

    private func request(
        _ method: HTTPMethod, _ path: String
    ) throws(ServingFailure) -> HTTPClient.Request {
        var headers = HTTPHeaders()
        if let key = target.apiKey { headers.add(name: "authorization", value: "Bearer \(key)") }
        for field in target.headers { headers.add(name: field.name, value: field.value) }
        do {
            return try HTTPClient.Request(
                url: target.baseURL + path, method: method, headers: headers)
        } catch {
            throw ServingFailure(error)
        }
    }
}

extension ServingFailure {
    /// What an HTTP client's error means.
    init(_ error: any Error) {
        if let failure = error as? ServingFailure {
            self = failure
            return
        }
        if let reason = Self.reasonOfNoConnection(error) {
            self.init(kind: "connect", detail: "cannot connect: \(reason)")
            return
        }
        let kind: String
        switch error as? HTTPClientError {
        case .deadlineExceeded, .readTimeout, .writeTimeout: kind = "timeout"
        case .cancelled: kind = "interrupted"
        case .remoteConnectionClosed: kind = "cut_off"
        default: kind = error is IOError || error is HTTPParserError ? "cut_off" : "client"
        }
        self.init(kind: kind, detail: "\(error)")
    }

    /// Why there is no connection; `nil` where there was one.
    private static func reasonOfNoConnection(_ error: any Error) -> String? {
        switch error {
        case let error as NIOConnectionError:
            guard let first = error.connectionErrors.first?.error else {
                return "no address of \(error.host) was found"
            }
            return reasonOfNoConnection(first) ?? "\(first)"
        case let error as HTTPClientError where error == .connectTimeout:
            return "the host does not answer"
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            return "its certificate is not trusted or TLS failed (\(error)); "
                + "--ca-cert names the certificates to trust"
        case let error as ChannelError: return "\(error)"
        case let error as IOError:
            switch error.errnoCode {
            case ECONNREFUSED: return "connection refused"
            case EHOSTUNREACH, ENETUNREACH: return "the host cannot be reached"
            case EMFILE, ENFILE: return "no more files may be open; see 'ulimit -n'"
            default: return nil
            }
        default: return nil
        }
    }
}
