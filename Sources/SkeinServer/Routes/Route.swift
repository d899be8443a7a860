internal import HTTPTypes
internal import Hummingbird
internal import SkeinCore
internal import SkeinText

/// A path of the front: with which method, for whom, and what it does.
struct Route: Sendable {
    /// The path; a last part `*` stands for any text, which then comes with the asking.
    let path: String
    /// The one method that it takes; GET takes HEAD as well.
    let method: HTTPRequest.Method
    /// Whether a client needs a key where the server has keys.
    let needsKey: Bool
    /// What it is for, in half a line.
    let summary: String
    /// Answers a request.
    let run: @Sendable (FrontRoutes, Asking) async throws(APIError) -> Response

    /// One request on its way to an answer.
    struct Asking: Sendable {
        let request: Request
        let caller: Caller
        /// Who asks, as far as keys tell: nobody else sees the request.
        let owner: String
        /// With whom latent pages are shared.
        let tenant: String
        /// What stands in the place of the path's `*`.
        let rest: String
    }

    /// How measurements name it.
    var label: String { path.hasSuffix("/*") ? String(path.dropLast(2)) : path }

    /// The methods as the header `Allow` lists them.
    var allowed: String { method == .get ? "GET, HEAD" : method.rawValue }

    /// Whether it takes a method.
    func takes(_ method: HTTPRequest.Method) -> Bool {
        method == self.method || (self.method == .get && method == .head)
    }

    /// The text in the place of `*` where a path is this route's; empty for a path without one.
    func rest(of path: String) -> String? {
        guard self.path.hasSuffix("*") else { return path == self.path ? "" : nil }
        let stem = self.path.dropLast()
        return path.hasPrefix(stem) && path.count > stem.count
            ? String(path.dropFirst(stem.count)) : nil
    }
}

extension Route {
    /// Every path there is: what answers it, who may, `Allow`, the names in measurements and the
    /// page at `/` all come from here.
    static let all: [Route] = [
        get("/", open: true, "this list") { await $0.overview(for: $1) },
        get("/livez", open: true, "200 while this process answers") { _, _ in alive() },
        get("/ping", open: true, "the same") { _, _ in alive() },
        get("/readyz", open: true, "200 while completions are served, else 503") {
            await $0.readiness($1)
        },
        get("/health", open: true, "the verdict, with a token pushed through every stage") {
            front, asking throws(APIError) in try await front.health(asking.request)
        },
        get("/version", open: true, "the program's version") { front, _ in await front.version() },
        get("/metrics", open: true, "measurements for Prometheus") { front, _ in
            await front.metricsPage()
        },
        get("/v1/models", "the model's names and bounds") { front, _ in
            FrontRoutes.response(front.modelList)
        },
        get("/v1/models/*", "one of them") { front, asking throws(APIError) in
            FrontRoutes.response(try front.modelCard(named: asking.rest))
        },
        post(chatPath, "answers to a conversation") { front, asking throws(APIError) in
            try await front.complete(asking)
        },
        post(textPath, "texts that go on") { front, asking throws(APIError) in
            try await front.complete(asking)
        },
        get("/v1/requests/*", "a request's state and answer, or its /events from anywhere on") {
            front, asking throws(APIError) in try await front.request(asking)
        },
        post("/tokenize", "text or a conversation to token ids") {
            front, asking throws(APIError) in
            FrontRoutes.response(try front.tokenize(try await front.fields(of: asking)))
        },
        post("/detokenize", "token ids to text") { front, asking throws(APIError) in
            FrontRoutes.response(try front.detokenize(try await front.fields(of: asking)))
        },
        get("/tokenizer_info", "what programs that prepare tokens ask for") {
            front, _ throws(APIError) in FrontRoutes.response(try front.tokenizerFacts())
        },
        get("/v1/cluster", "nodes, stages, pages and queues") { front, asking throws(APIError) in
            try await front.cluster(asking.request)
        },
        post("/v1/cluster/drain", "has ?node=NAME go away; ?force=1 even without a standby") {
            front, asking throws(APIError) in try await front.drainNode(asking)
        },
        post("/v1/cluster/shutdown", "ends the head and every node") {
            front, asking throws(APIError) in try await front.shutDown(asking)
        },
        post("/v1/trace", "what every stage did for ?seconds=N") { front, asking throws(APIError) in
            try await front.trace(asking.request)
        },
    ]

    /// Where conversations are answered.
    static let chatPath = "/v1/chat/completions"

    /// Where texts are gone on with.
    static let textPath = "/v1/completions"

    /// The route of a path and what stands in the place of its `*`.
    static func of(_ path: String) -> (route: Route, rest: String)? {
        for route in all {
            if let rest = route.rest(of: path) { return (route, rest) }
        }
        return nil
    }

    private typealias Answering =
        @Sendable (FrontRoutes, Asking) async throws(APIError) -> Response

    private static func get(
        _ path: String, open: Bool = false, _ summary: String, _ run: @escaping Answering
    ) -> Route {
        Route(path: path, method: .get, needsKey: !open, summary: summary, run: run)
    }

    private static func post(
        _ path: String, _ summary: String, _ run: @escaping Answering
    ) -> Route {
        Route(path: path, method: .post, needsKey: true, summary: summary, run: run)
    }

    private static func alive() -> Response {
        FrontRoutes.response(.fields(["status": .string("ok")]))
    }
}
