import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL
import SkeinCore
import SkeinText

/// Asks a cluster's head over HTTP; whatever answers is foreign, and bounded in size and time.
struct HeadClient: Sendable {
    /// What a path answered.
    struct Answer: Sendable {
        let status: Int
        let value: JSONValue
    }

    /// The head.
    let address: HeadAddress
    /// Whether a key goes with every question.
    var hasKey: Bool { apiKey != nil }

    private let apiKey: String?
    private let client: HTTPClient

    /// Opens a client.
    ///
    /// - Parameter connectionCount: questions at a time that get a connection each.
    init(
        _ address: HeadAddress, apiKey: String?, certificates: String?, trustsAnyone: Bool,
        connectionCount: Int = 8
    ) throws(Refusal) {
        self.address = address
        self.apiKey = try ClientTrust.key(apiKey)
        let security = try ClientTrust.security(
            certificates: certificates, trustsAnyone: trustsAnyone)
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: security, redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(3)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connectionCount
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// How long an answer may take and be, and how it is asked for.
    struct Bounds: Sendable {
        var isPost = false
        /// What is posted, with a key that lets it be posted again without running twice.
        var body: (value: JSONValue, key: String)?
        var secondsMax = Limits.statusSecondsMax
        var bytesMax = Limits.statusBytesMax
    }

    /// Asks for a path.
    ///
    /// - Throws: a `Refusal` that names the address, where nobody answers, or not in JSON.
    func ask(_ path: String, within bounds: Bounds = Bounds()) async throws(Refusal) -> Answer {
        let (status, bytes) = try await fetch(path, accepting: "application/json", bounds)
        do throws(Refusal) {
            return Answer(
                status: status,
                value: try JSONValue(parsing: bytes, subject: "answer", rules: .lenient))
        } catch {
            throw Refusal(
                address.text, "answered with status \(status) and no JSON; is it a Skein head?")
        }
    }

    /// Asks for the measurements.
    ///
    /// - Throws: a `Refusal` that names the address, where nobody answers, or not with a page.
    func metrics() async throws(Refusal) -> String {
        let (status, bytes) = try await fetch("/metrics", accepting: "text/plain", Bounds())
        guard status == 200 else {
            throw Refusal(
                address.text, "answered /metrics with status \(status); is it a Skein head?")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func fetch(
        _ path: String, accepting kind: String, _ bounds: Bounds
    ) async throws(Refusal) -> (status: Int, bytes: [UInt8]) {
        let subject = address.text
        var request = HTTPClientRequest(url: address.text + path)
        if bounds.isPost { request.method = .POST }
        if let body = bounds.body {
            request.method = .POST
            request.headers.add(name: "content-type", value: "application/json")
            request.headers.add(name: "idempotency-key", value: body.key)
            request.body = .bytes(ByteBuffer(string: body.value.line))
        }
        request.headers.add(name: "accept", value: kind)
        if let apiKey { request.headers.add(name: "authorization", value: "Bearer \(apiKey)") }
        do {
            let response = try await client.execute(
                request, timeout: .seconds(Int64(bounds.secondsMax)))
            let body = try await response.body.collect(upTo: bounds.bytesMax)
            return (Int(response.status.code), Array(body.readableBytesView))
        } catch {
            throw Refusal(subject, Self.reason(error, bounds))
        }
    }

    /// Lets go of the connections.
    func close() async {
        do { try await client.shutdown() } catch {
            // The program ends; what is still open is closed with it.
        }
    }

    private static func reason(_ error: any Error, _ bounds: Bounds) -> String {
        switch error {
        case let error as HTTPClientError where error == .connectTimeout:
            "cannot be reached within 3 s"
        case let error as HTTPClientError
        where error == .deadlineExceeded || error == .readTimeout:
            "gave no answer within \(bounds.secondsMax) s"
        case is NIOTooManyBytesError:
            "answered with more than \(bounds.bytesMax) bytes, expected at most that"
        case is NIOSSLError: "cannot be trusted: \(error); --ca-cert names who may be"
        case let error as IOError:
            "cannot be reached: \(String(cString: strerror(error.errnoCode)))"
        default: "cannot be reached: \(error)"
        }
    }
}
