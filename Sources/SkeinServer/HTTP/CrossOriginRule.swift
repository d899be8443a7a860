internal import HTTPTypes
public import SkeinCore

/// Which web pages may call from a browser (CORS).
public struct CrossOriginRule: Sendable {
    private let origins: Set<String>
    private var admitsAll: Bool { origins.contains("*") }

    /// Admits pages of these origins; `*` admits all.
    ///
    /// - Throws: a `Refusal` where one is no origin: a scheme, a host and no path.
    public init(_ origins: [String]) throws(Refusal) {
        for origin in origins where origin != "*" {
            let parts = origin.split(separator: "://", omittingEmptySubsequences: false)
            let isPlain = origin.utf8.allSatisfy { (0x21...0x7E).contains($0) }
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, isPlain,
                !parts[1].contains("/")
            else {
                throw Refusal(
                    "--cors-origin",
                    "found '\(origin)', expected * or an origin such as https://example.com")
            }
        }
        self.origins = Set(origins)
    }

    /// Whether a request is a browser's question before the real one.
    static func isPreflight(_ request: HTTPRequest) -> Bool {
        request.method == .options && request.headerFields[.origin] != nil
            && request.headerFields[.accessControlRequestMethod] != nil
    }

    /// The headers for an answer to a page of some origin; none for one that is not admitted.
    func headers(for request: HTTPRequest) -> HTTPFields {
        var headers = HTTPFields()
        // A cache must not give one origin's answer to another.
        if !admitsAll { headers[.vary] = "Origin" }
        guard let origin = request.headerFields[.origin], admitsAll || origins.contains(origin)
        else { return headers }
        headers[.accessControlAllowOrigin] = admitsAll ? "*" : origin
        headers[.accessControlExposeHeaders] = "x-request-id, x-ignored-fields, retry-after"
        guard Self.isPreflight(request) else { return headers }
        headers[.accessControlAllowMethods] = "GET, POST, OPTIONS"
        // Clients bring headers of their own; none of them means anything here.
        headers[.accessControlAllowHeaders] =
            request.headerFields[.accessControlRequestHeaders] ?? "authorization, content-type"
        headers[.accessControlMaxAge] = "600"
        return headers
    }
}
