internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinText
internal import Synchronization

/// Finds what a path means, and gives every error its shape.
final class FrontRoutes: Sendable {
    private struct State {
        var isDraining = false
        var running: [String: RunningCompletion] = [:]
    }

    let service: ModelService
    private let apiKeys: APIKeys?
    private let state = Mutex(State())

    init(service: ModelService, apiKeys: APIKeys?) {
        self.service = service
        self.apiKeys = apiKeys
    }

    /// Whether no new completion begins.
    var isDraining: Bool { state.withLock { $0.isDraining } }

    /// From now on no new completion begins.
    func beginDraining() { state.withLock { $0.isDraining = true } }

    /// Breaks off every completion.
    func cancelAll() async {
        for running in state.withLock({ Array($0.running.values) }) { await running.cancel() }
    }

    /// Answers a request.
    func respond(to request: Request, from caller: Caller) async -> Response {
        var response: Response
        do throws(APIError) {
            response = try await route(request, from: caller)
        } catch {
            caller.logger.info(
                "refused",
                metadata: [
                    "path": "\(request.uri.path)", "status": "\(error.status)",
                    "reason": "\(error.message)",
                ])
            response = Self.response(error)
        }
        if let name = HTTPField.Name("x-request-id") { response.headers[name] = caller.requestID }
        return response
    }

    private func route(_ request: Request, from caller: Caller) async throws(APIError) -> Response {
        let path = request.uri.path
        if path == "/health" {
            try expect(.get, request)
            return try await health(request)
        }
        var tenant = ""
        if let apiKeys {
            guard let known = apiKeys.admit(authorization: request.headers[.authorization]) else {
                throw .unauthorized
            }
            tenant = known
        }
        switch path {
        case "/v1/models":
            try expect(.get, request)
            return Self.response(
                .fields(["object": .string("list"), "data": .array([modelCard])]))
        case "/v1/cluster":
            try expect(.get, request)
            return try await cluster(request)
        case "/v1/chat/completions":
            let fields = try await fields(of: request)
            let call = try CompletionCall(chat: fields, service: service)
            return try await complete(call, from: caller, tenant: tenant)
        case "/v1/completions":
            let fields = try await fields(of: request)
            return try await complete(
                try CompletionCall(text: fields, service: service), from: caller, tenant: tenant)
        case "/tokenize":
            return Self.response(try tokenize(try await fields(of: request)))
        case "/detokenize":
            return Self.response(try detokenize(try await fields(of: request)))
        case "/v1/models/\(service.modelName)":
            try expect(.get, request)
            return Self.response(modelCard)
        case _ where path.hasPrefix("/v1/models/"):
            throw .notFound(
                "model", "there is no such model; this server has '\(service.modelName)'",
                code: "model_not_found")
        default:
            throw .notFound(nil, "there is no such path: \(path.prefix(200))", code: "not_found")
        }
    }

    private func expect(_ method: HTTPRequest.Method, _ request: Request) throws(APIError) {
        guard request.method == method || (method == .get && request.method == .head) else {
            throw .wrongMethod(allowed: method.rawValue)
        }
    }

    /// The JSON body of a POST request.
    private func fields(of request: Request) async throws(APIError) -> RequestFields {
        try expect(.post, request)
        if let length = request.headers[.contentLength].flatMap({ Int($0) }),
            length > Limits.httpBodyBytesMax
        {
            throw .tooLarge
        }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: Limits.httpBodyBytesMax)
        } catch is NIOTooManyBytesError {
            throw .tooLarge
        } catch {
            throw .invalid(nil, "body: cannot be read: \(error)")
        }
        return try RequestFields(body: Array(body.readableBytesView))
    }
}

extension FrontRoutes {
    /// Runs a call and answers it.
    private func complete(
        _ call: CompletionCall, from caller: Caller, tenant: String
    ) async throws(APIError) -> Response {
        guard !isDraining else {
            throw .unavailable("the server is shutting down")
        }
        if await service.coordinator.endReason == nil, await !service.coordinator.hasBeenReady {
            throw .unavailable("the cluster is loading; /health tells what it waits for")
        }
        let start = ContinuousClock.now
        let running = try await RunningCompletion.start(
            call, on: service, tenant: tenant, label: caller.requestID)
        state.withLock { $0.running[caller.requestID] = running }
        await watch(caller.channel, running)
        var route: CompletionRoute
        do {
            route = try CompletionRoute(call, running: running, service: service)
        } catch {
            await end(running, caller)
            throw error
        }
        if call.isStreaming { return stream(route, running, caller, since: start) }
        do {
            let answer = try await route.gather()
            await end(running, caller)
            log(route.usage, caller, since: start)
            return Self.response(answer)
        } catch {
            await end(running, caller)
            throw error as? APIError ?? .broken(error)
        }
    }

    private func stream(
        _ route: CompletionRoute, _ running: RunningCompletion, _ caller: Caller,
        since start: ContinuousClock.Instant
    ) -> Response {
        let body = ResponseBody { [self] writer in
            var route = route
            var events = EventStreamWriter(writer)
            do {
                try await route.stream(to: &events)
                try await events.writeEnd()
                await end(running, caller)
                log(route.usage, caller, since: start)
            } catch {
                await end(running, caller)
                caller.logger.info("broken off", metadata: ["reason": "\(error)"])
                // Where the client is there still, it learns why.
                try await events.write((error as? APIError ?? .broken(error)).json)
            }
            try await events.finish()
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache"],
            body: body)
    }

    /// Ends the completion once its client hangs up.
    ///
    /// A client that closes its half of a connection has gone away too: the server takes the end of
    /// what it reads for the end of the connection. The closure lives as long as the connection, so
    /// it holds the completion only weakly.
    private func watch(_ channel: any Channel, _ running: RunningCompletion) async {
        do {
            try await channel.setOption(.allowRemoteHalfClosure, value: false).get()
        } catch {
            // A connection that is closed already has its completion ended below.
        }
        channel.closeFuture.whenComplete { [weak running] _ in
            guard let running else { return }
            Task { await running.cancel() }
        }
    }

    private func end(_ running: RunningCompletion, _ caller: Caller) async {
        state.withLock { $0.running[caller.requestID] = nil }
        await running.cancel()
    }

    private func log(_ usage: Usage, _ caller: Caller, since start: ContinuousClock.Instant) {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        caller.logger.info(
            "answered",
            metadata: [
                "prompt_tokens": "\(usage.promptTokenCount)",
                "completion_tokens": "\(usage.completionTokenCount)", "seconds": "\(seconds)",
            ])
    }
}

extension FrontRoutes {
    private var modelCard: JSONValue {
        .fields([
            "id": .string(service.modelName), "object": .string("model"), "created": .count(0),
            "owned_by": .string("skein"), "max_model_len": .count(service.positionCountMax),
            "vocab_size": .count(service.vocabularySize),
        ])
    }

    /// Text or a conversation to tokens.
    private func tokenize(_ fields: RequestFields) throws(APIError) -> JSONValue {
        let tokens: [TokenID]
        if fields.value("messages") != nil {
            let conversation = try CompletionCall.conversation(fields, service: service)
            tokens = try service.setup(for: "messages").tokenizer.encode(
                conversation.prompt.segments)
        } else {
            guard let text = try fields.text("prompt") else {
                throw .invalid("prompt", "prompt: is missing, expected a text")
            }
            let setup = try service.setup(for: "prompt")
            let isWhole = try fields.flag("add_special_tokens") ?? true
            tokens =
                isWhole
                ? setup.completionPrompt(text)
                : setup.tokenizer.encode(text, matchingAddedTokens: false)
        }
        return .fields([
            "count": .count(tokens.count), "max_model_len": .count(service.positionCountMax),
            "tokens": .tokens(tokens),
        ])
    }

    /// Tokens to text.
    private func detokenize(_ fields: RequestFields) throws(APIError) -> JSONValue {
        let setup = try service.setup(for: "tokens")
        guard
            let tokens = try fields.tokens(
                "tokens", countMax: Limits.positionsMax, vocabularySize: service.vocabularySize)
        else { throw .invalid("tokens", "tokens: is missing, expected a list of token ids") }
        return .fields([
            "prompt": .string(setup.tokenizer.decode(tokens, skippingSpecialTokens: false))
        ])
    }

    static func response(_ json: JSONValue, status: Int = 200) -> Response {
        Response(
            status: .init(code: status), headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: json.pythonText)))
    }

    private static func response(_ error: APIError) -> Response {
        var response = response(error.json, status: error.status)
        if let seconds = error.retryAfterSeconds { response.headers[.retryAfter] = "\(seconds)" }
        if let method = error.allowedMethod { response.headers[.allow] = method }
        if error.status == 401 { response.headers[.wwwAuthenticate] = "Bearer" }
        return response
    }
}
