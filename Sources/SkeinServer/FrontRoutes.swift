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
        /// Keys of what runs for each open connection that ever asked for a completion.
        var connections: [ObjectIdentifier: Set<String>] = [:]
        var idleWaits: [CheckedContinuation<Void, Never>] = []
    }

    let service: ModelService
    private let apiKeys: APIKeys?
    private let settings: FrontSettings
    private let state = Mutex(State())
    let metrics = FrontMetrics()

    init(service: ModelService, apiKeys: APIKeys?, settings: FrontSettings) {
        self.service = service
        self.apiKeys = apiKeys
        self.settings = settings
    }

    /// Whether no new completion begins.
    var isDraining: Bool { state.withLock { $0.isDraining } }

    /// From now on no new completion begins.
    func beginDraining() { state.withLock { $0.isDraining = true } }

    /// Waits until no completion runs.
    func waitUntilIdle() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if !state.running.isEmpty { state.idleWaits.append(continuation) }
                return state.running.isEmpty
            }
            if isIdle { continuation.resume() }
        }
    }

    /// Breaks off every completion; its client is told.
    func breakOffAll() async {
        for running in state.withLock({ Array($0.running.values) }) { await running.breakOff() }
    }

    /// Answers a request.
    func respond(to request: Request, from caller: Caller) async -> Response {
        let caller = caller.named(request)
        var response: Response
        do throws(APIError) {
            response = try await route(request, from: caller)
        } catch {
            caller.logRefusal(error)
            response = Self.response(error)
            if error.status == 413 { response = caller.closing(Self.response(error)) }
        }
        metrics.onResponse(path: caller.path, status: response.status.code)
        response.headers[.requestID] = caller.requestID
        if let rule = settings.crossOrigin {
            for field in rule.headers(for: request.head) { response.headers.append(field) }
        }
        return response
    }

    private func route(_ request: Request, from caller: Caller) async throws(APIError) -> Response {
        let path = request.uri.path
        if settings.crossOrigin != nil, CrossOriginRule.isPreflight(request.head) {
            return Response(status: .noContent)
        }
        if path == "/health" {
            try expect(.get, request)
            return try await health(request)
        }
        if path == "/metrics" {
            try expect(.get, request)
            return await metricsPage()
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
        case "/v1/trace":
            try expect(.post, request)
            return try await trace(request)
        case "/v1/chat/completions":
            let fields = try await fields(of: request, from: caller)
            let call = try CompletionCall(chat: fields, service: service)
            return try await complete(call, from: caller, tenant: tenant)
        case "/v1/completions":
            let fields = try await fields(of: request, from: caller)
            return try await complete(
                try CompletionCall(text: fields, service: service), from: caller, tenant: tenant)
        case "/tokenize":
            return Self.response(try tokenize(try await fields(of: request, from: caller)))
        case "/detokenize":
            return Self.response(try detokenize(try await fields(of: request, from: caller)))
        case "/tokenizer_info":
            try expect(.get, request)
            return Self.response(try tokenizerFacts())
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
    private func fields(
        of request: Request, from caller: Caller
    ) async throws(APIError) -> RequestFields {
        try expect(.post, request)
        if let length = request.headers[.contentLength].flatMap({ Int($0) }),
            length > Limits.httpBodyBytesMax
        {
            throw .tooLarge
        }
        let body: ByteBuffer
        // A body that comes byte by byte would hold its connection for ever.
        let watchdog = caller.closeConnection(after: settings.idleBound)
        defer { watchdog.cancel() }
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
        var call = call
        call.bound(newTokensMax: settings.newTokensMax)
        let running = try await RunningCompletion.start(
            call, on: service, tenant: tenant, label: caller.requestID,
            bound: settings.requestBound,
            onOverdue: { caller.channel.close(promise: nil) })
        state.withLock { $0.running[caller.key] = running }
        await watch(caller)
        var route: CompletionRoute
        do {
            route = try CompletionRoute(
                call, running: running, service: service, metrics: metrics, since: caller.received)
        } catch {
            await end(running, caller)
            throw error
        }
        if call.isStreaming { return stream(route, running, caller) }
        do {
            let answer = try await route.gather()
            await end(running, caller)
            metrics.onCompletion(route)
            caller.log(route)
            return Self.response(answer)
        } catch {
            await end(running, caller)
            metrics.onCompletion(route)
            throw error as? APIError ?? .broken(error)
        }
    }

    private func stream(
        _ route: CompletionRoute, _ running: RunningCompletion, _ caller: Caller
    ) -> Response {
        let body = ResponseBody { [self] writer in
            var route = route
            var events = EventStreamWriter(writer)
            do {
                try await route.stream(to: &events)
                try await events.writeEnd()
                await end(running, caller)
                metrics.onCompletion(route)
                caller.log(route)
            } catch {
                await end(running, caller)
                metrics.onCompletion(route)
                caller.log(route, brokenBy: error)
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
    /// what it reads for the end of the connection. A closure lives as long as the connection, so
    /// there is one for all its requests.
    private func watch(_ caller: Caller) async {
        let channel = caller.channel
        let connection = ObjectIdentifier(channel)
        let isKnown = state.withLock { state in
            defer { state.connections[connection, default: []].insert(caller.key) }
            return state.connections[connection] != nil
        }
        guard !isKnown else { return }
        do {
            try await channel.setOption(.allowRemoteHalfClosure, value: false).get()
        } catch {
            // A connection that is closed already has its completion ended below.
        }
        channel.closeFuture.whenComplete { [weak self] _ in self?.onClose(connection) }
    }

    private func onClose(_ connection: ObjectIdentifier) {
        let ended = state.withLock { state in
            (state.connections.removeValue(forKey: connection) ?? [])
                .compactMap { state.running[$0] }
        }
        guard !ended.isEmpty else { return }
        Task { for running in ended { await running.cancel() } }
    }

    private func end(_ running: RunningCompletion, _ caller: Caller) async {
        let waits = state.withLock { state in
            state.running[caller.key] = nil
            state.connections[ObjectIdentifier(caller.channel)]?.remove(caller.key)
            guard state.running.isEmpty else { return [CheckedContinuation<Void, Never>]() }
            defer { state.idleWaits = [] }
            return state.idleWaits
        }
        for wait in waits { wait.resume() }
        await running.cancel()
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
            let conversation = try CompletionCall.conversation(
                fields, ToolChoice(fields), service: service)
            tokens = try service.setup(for: "messages").tokenizer.encode(
                conversation.prompt.segments)
        } else {
            guard let text = try fields.text("prompt") else {
                throw .invalid("prompt", "prompt: is missing, expected a text")
            }
            let setup = try service.setup(for: "prompt")
            let isWhole = try fields.flag("add_special_tokens") ?? true
            // A text that is nothing but the mark of a special token asks for that token.
            let mark = isWhole ? nil : setup.tokenizer.addedToken(text)
            tokens =
                isWhole
                ? setup.completionPrompt(text)
                : mark.map { [$0] } ?? setup.tokenizer.encode(text, matchingAddedTokens: false)
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

    static func response(_ error: APIError) -> Response {
        var response = response(error.json, status: error.status)
        if let seconds = error.retryAfterSeconds { response.headers[.retryAfter] = "\(seconds)" }
        if let method = error.allowedMethod { response.headers[.allow] = method }
        if error.status == 401 { response.headers[.wwwAuthenticate] = "Bearer" }
        return response
    }
}
