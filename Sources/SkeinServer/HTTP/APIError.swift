internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinText

/// What a client is told instead of an answer, in OpenAI's shape.
struct APIError: Error, Equatable {
    /// The HTTP status.
    let status: Int
    /// The sort of error, one of OpenAI's words.
    let type: String
    /// One line for a person.
    let message: String
    /// The field that is wrong.
    var param: String?
    /// A word for programs.
    var code: String?
    /// When to try again.
    var retryAfterSeconds: Int?
    /// The methods that the path has, where another was used.
    var allowedMethods: String?
    /// Whether the connection ends with the answer, since the rest of what comes cannot be read; a
    /// stream ends without a word, as if the connection broke.
    var endsConnection = false

    /// A request that cannot be read or can never run.
    static func invalid(_ param: String?, _ message: String, code: String? = nil) -> APIError {
        APIError(
            status: 400, type: "invalid_request_error", message: message, param: param, code: code)
    }

    /// A refusal of a part of the request; its subject is the field.
    static func invalid(_ refusal: Refusal) -> APIError {
        let param = refusal.subject.replacing(": ", with: ".")
        return .invalid(param, refusal.description)
    }

    /// Something that is not here.
    static func notFound(_ param: String?, _ message: String, code: String? = nil) -> APIError {
        APIError(
            status: 404, type: "invalid_request_error", message: message, param: param, code: code)
    }

    /// A path that is used with another method.
    static func wrongMethod(_ found: String, allowed: String) -> APIError {
        APIError(
            status: 405, type: "invalid_request_error",
            message: "found a \(found.prefix(40)) request, this path takes \(allowed) only",
            allowedMethods: allowed)
    }

    /// A body in a coding that this server does not decode.
    static func contentCoding(_ found: String) -> APIError {
        APIError(
            status: 415, type: "invalid_request_error",
            message: "Content-Encoding: found '\(found.prefix(60))', expected identity, that is, a "
                + "body as it is", param: "Content-Encoding", code: "unsupported_content_encoding")
    }

    /// A wish about the exchange that this server does not know.
    static func expectation(_ found: String) -> APIError {
        APIError(
            status: 417, type: "invalid_request_error",
            message: "Expect: found '\(found.prefix(60))', expected 100-continue or no such header",
            param: "Expect")
    }

    /// A request that does not say to whom it speaks.
    static let hostMissing = APIError.invalid(
        "Host", "Host: expected one such header, which HTTP/1.1 asks for")

    /// What is not allowed to who asks.
    static func forbidden(_ message: String) -> APIError {
        APIError(
            status: 403, type: "permission_error", message: message, code: "permission_denied")
    }

    /// What the cluster's state does not allow.
    static func conflict(_ refusal: Refusal) -> APIError {
        APIError(
            status: 409, type: "invalid_request_error", message: refusal.description,
            code: "conflict")
    }

    /// Too large a body.
    static let tooLarge = APIError(
        status: 413, type: "invalid_request_error",
        message: "the body is larger than \(Limits.httpBodyBytesMax) bytes",
        code: "request_too_large", endsConnection: true)

    /// A body that ends too early, or whose chunks are no chunks.
    static let brokenBody = APIError(
        status: 400, type: "invalid_request_error",
        message: "body: breaks off or is wrongly framed", endsConnection: true)

    /// No key, or an unknown one.
    static let unauthorized = APIError(
        status: 401, type: "authentication_error",
        message: "expected 'Authorization: Bearer KEY' or 'x-api-key: KEY' with a key that this "
            + "server knows",
        code: "invalid_api_key")

    /// Nothing can run at the moment.
    static func unavailable(_ message: String, retryAfterSeconds: Int = 1) -> APIError {
        APIError(
            status: 503, type: "service_unavailable", message: message,
            code: "service_unavailable", retryAfterSeconds: retryAfterSeconds)
    }

    /// The head ends and leaves what it draws to the next, which has it out of the journal.
    static let headIsChanging: APIError = {
        var error = unavailable(
            "the head is started again; ask once more with the same Idempotency-Key, or for "
                + "/v1/requests/ID")
        error.endsConnection = true
        return error
    }()

    /// A node is lost and stays away.
    static func nodeAway(_ bound: Duration) -> APIError {
        .unavailable(
            "a node is lost and has not been back for \(bound.seconds) seconds; /health tells "
                + "which", retryAfterSeconds: 10)
    }

    /// A request that took longer than the server allows.
    static func timedOut(_ bound: Duration) -> APIError {
        APIError(
            status: 504, type: "timeout_error",
            message: "the answer took longer than \(bound.seconds) seconds, the most that this "
                + "server allows", code: "request_timeout")
    }

    /// What the coordinator says of a request that it does not take.
    static func notAdmitted(_ error: AdmissionError, promptField: String) -> APIError {
        switch error {
        case .busy(let refusal), .ended(let refusal): .unavailable(refusal.description)
        case .repeated: .unavailable("the same request is being taken in; try again")
        case .invalid(let refusal):
            switch refusal.subject {
            case "prompt":
                .invalid(promptField, refusal.description, code: "context_length_exceeded")
            case "constraint": .invalid("response_format", refusal.description)
            default: .invalid(refusal)
            }
        }
    }

    /// A request that broke off.
    static func broken(_ error: any Error) -> APIError {
        APIError(status: 500, type: "server_error", message: "\(error)", code: "server_error")
    }

    /// The body of the response.
    var json: JSONValue {
        .fields([
            "error": .fields([
                "message": .string(message), "type": .string(type),
                "param": param.map { .string($0) } ?? .null,
                "code": code.map { .string($0) } ?? .null,
            ])
        ])
    }
}
