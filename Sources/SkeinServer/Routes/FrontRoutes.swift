internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinJournal
internal import SkeinText
internal import Synchronization

/// Finds what a path means, and gives every error its shape.
final class FrontRoutes: Sendable {
    private struct State {
        var isDraining = false
        var isAskedToEnd = false
        var apiKeys: APIKeys?
        var running: [String: RunningCompletion] = [:]
        /// Keys of what runs for each open connection that ever asked for a completion.
        var connections: [ObjectIdentifier: Set<String>] = [:]
        var idleWaits: [CheckedContinuation<Void, Never>] = []
    }

    let service: ModelService
    let settings: FrontSettings
    private let state: Mutex<State>
    let metrics = FrontMetrics()
    let logger: Logger

    init(
        service: ModelService, apiKeys: APIKeys?, settings: FrontSettings, logger: Logger
    ) {
        self.service = service
        state = Mutex(State(apiKeys: apiKeys))
        self.settings = settings
        self.logger = logger
    }

    /// Whether no new completion begins.
    var isDraining: Bool { state.withLock { $0.isDraining } }

    /// The keys that let clients in; `nil` where everybody may come.
    var apiKeys: APIKeys? { state.withLock { $0.apiKeys } }

    /// Whether all keys share latent pages.
    var sharesPrefixes: Bool { apiKeys?.sharesPrefixes ?? false }

    /// From now on other keys let clients in.
    func replaceKeys(by keys: APIKeys) {
        state.withLock { if $0.apiKeys != nil { $0.apiKeys = keys } }
    }

    /// Whether the cluster was asked to end.
    var isAskedToEnd: Bool { state.withLock { $0.isAskedToEnd } }

    /// Notes that the cluster was asked to end.
    func noteEnd() { state.withLock { $0.isAskedToEnd = true } }

    /// How many completions run.
    var runningCount: Int { state.withLock { $0.running.count } }

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

    /// Leaves every completion to the head that is started next.
    func leaveAllToNextHead() {
        for running in state.withLock({ Array($0.running.values) }) { running.leaveToNextHead() }
    }

    /// Answers a request.
    func respond(to request: Request, from caller: Caller) async -> Response {
        let caller = caller.named(request)
        let found = Route.of(request.uri.path)
        var response: Response
        do throws(APIError) {
            response = try await answer(request, at: found, from: caller)
        } catch {
            caller.logRefusal(error)
            response = Self.response(error)
        }
        metrics.onResponse(path: found?.route.label ?? "other", status: response.status.code)
        response.headers[.requestID] = caller.requestID
        if let rule = settings.crossOrigin {
            for field in rule.headers(for: request.head) { response.headers.append(field) }
        }
        return response
    }

    private func answer(
        _ request: Request, at found: (route: Route, rest: String)?, from caller: Caller
    ) async throws(APIError) -> Response {
        guard request.head.authority != nil else { throw .hostMissing }
        if let wish = request.headers[.expect], wish.lowercased() != "100-continue" {
            throw .expectation(wish)
        }
        if settings.crossOrigin != nil, CrossOriginRule.isPreflight(request.head) {
            return Response(status: .noContent)
        }
        var client = APIKeys.Client(owner: "", tenant: "")
        if let apiKeys, found?.route.needsKey != false {
            guard
                let known = apiKeys.admit(
                    authorization: request.headers[.authorization], key: request.headers[.apiKey])
            else { throw .unauthorized }
            client = known
        }
        guard let (route, rest) = found else {
            let path = request.uri.path.prefix(200)
            throw .notFound(
                nil, "there is no such path: \(path); / lists those there are", code: "not_found")
        }
        guard route.takes(request.method) else {
            throw .wrongMethod(request.method.rawValue, allowed: route.allowed)
        }
        return try await route.run(
            self,
            Route.Asking(
                request: request, caller: caller, owner: client.owner, tenant: client.tenant,
                rest: rest))
    }

    /// The JSON body of a request.
    ///
    /// What the headers refuse is refused before the body is wanted, so that a client that waits
    /// for leave (`Expect: 100-continue`) need not send it.
    func fields(of asking: Route.Asking) async throws(APIError) -> RequestFields {
        let (request, caller) = (asking.request, asking.caller)
        let codings = (request.headers[.contentEncoding] ?? "").split(separator: ",")
            .map { $0.trimmingCharacters(in: .whitespaces) }
        if let coding = codings.first(where: { !["", "identity"].contains($0.lowercased()) }) {
            throw .contentCoding(coding)
        }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }),
            length > Limits.httpBodyBytesMax
        {
            throw .tooLarge
        }
        caller.channel.triggerUserOutboundEvent(HTTPFraming.BodyWanted(), promise: nil)
        let body: ByteBuffer
        // A body that comes byte by byte would hold its connection for ever.
        let watchdog = caller.closeConnection(after: settings.idleBound)
        defer { watchdog.cancel() }
        do {
            body = try await request.body.collect(upTo: Limits.httpBodyBytesMax)
        } catch is NIOTooManyBytesError {
            throw .tooLarge
        } catch {
            throw .brokenBody
        }
        return try RequestFields(body: Array(body.readableBytesView))
    }
}

extension FrontRoutes {
    /// Reads a call, runs it and answers it.
    ///
    /// A request with an idempotency key that was asked before is answered by what is known of it.
    func complete(_ asking: Route.Asking) async throws(APIError) -> Response {
        let caller = asking.caller
        try await checkAdmission()
        let fields = try await fields(of: asking)
        let asked = try ClientRequest(fields, asking)
        if let known = try await repeated(asked) { return try await goOn(known, asking) }
        let call = try read(fields, path: asked.path)
        try await waitForRing()
        let running: RunningCompletion
        do throws(AdmissionError) {
            running = try await start(call, of: asked, asking, by: .submit)
        } catch {
            // Asked twice at the same time: the other one was first.
            if let known = try await repeated(asked) { return try await goOn(known, asking) }
            throw .notAdmitted(error, promptField: call.promptField)
        }
        return try await answer(call, running, caller, metrics: metrics)
    }

    /// A call as a path reads it, within the server's own bound.
    func read(_ fields: RequestFields, path: String) throws(APIError) -> CompletionCall {
        var call =
            path == Route.chatPath
            ? try CompletionCall(chat: fields, service: service)
            : try CompletionCall(text: fields, service: service)
        call.bound(newTokensMax: settings.newTokensMax)
        return call
    }

    /// Begins to run a call, or to read what is drawn of it.
    func start(
        _ call: CompletionCall, of asked: ClientRequest, _ asking: Route.Asking,
        by beginning: RunningCompletion.Beginning
    ) async throws(AdmissionError) -> RunningCompletion {
        let caller = asking.caller
        let running = try await RunningCompletion.start(
            call, of: asked, on: service, tenant: asking.tenant, by: beginning, bounds: bounds,
            onOverdue: { caller.channel.close(promise: nil) })
        state.withLock { $0.running[caller.key] = running }
        await watch(caller)
        return running
    }

    var bounds: RunningCompletion.Bounds {
        RunningCompletion.Bounds(whole: settings.requestBound, lostNode: settings.lostNodeBound)
    }

    /// Answers a call that runs, whole or as a stream.
    ///
    /// - Parameters:
    ///   - metrics: measures the answer, for its first reader.
    ///   - known: what the client has of a stream; `nil` for one that begins.
    func answer(
        _ call: CompletionCall, _ running: RunningCompletion, _ caller: Caller,
        metrics: FrontMetrics?, isStreaming: Bool? = nil, known: EventPosition? = nil
    ) async throws(APIError) -> Response {
        var route: CompletionRoute
        do {
            route = try CompletionRoute(
                call, running: running, service: service, metrics: metrics, since: caller.received,
                known: known)
        } catch {
            end(running, caller)
            throw error
        }
        var response =
            isStreaming ?? call.isStreaming
            ? stream(route, running, caller) : try await gather(&route, running, caller)
        let ignored = call.ignoredFields.map { $0.prefix(60).filter(\.isPlain) }
        if !ignored.isEmpty {
            response.headers[.ignoredFields] = ignored.prefix(20).joined(separator: ", ")
        }
        return response
    }

    /// Refuses completions that need not be read.
    func checkAdmission() async throws(APIError) {
        guard !isDraining else { throw .unavailable("the server is shutting down") }
        if await service.coordinator.endReason == nil, await !service.coordinator.hasBeenReady {
            throw .unavailable("the cluster is loading; /health tells what it waits for")
        }
    }

    /// Waits for a lost node, within a bound; a client of a stream learns by the status, too, that
    /// it waited for nothing.
    func waitForRing() async throws(APIError) {
        let end = ContinuousClock.now + settings.lostNodeBound
        while await !service.coordinator.isReady, await service.coordinator.endReason == nil {
            guard ContinuousClock.now < end else { throw .nodeAway(settings.lostNodeBound) }
            try await checkAdmission()
            do {
                try await Task.sleep(for: .milliseconds(100))
            } catch {
                throw .unavailable("the server is shutting down")
            }
        }
    }

    private func gather(
        _ route: inout CompletionRoute, _ running: RunningCompletion, _ caller: Caller
    ) async throws(APIError) -> Response {
        do {
            let answer = try await route.gather()
            end(running, caller)
            route.metrics?.onCompletion(route)
            caller.log(route)
            return Self.response(answer)
        } catch {
            end(running, caller)
            route.metrics?.onCompletion(route)
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
                end(running, caller)
                route.metrics?.onCompletion(route)
                caller.log(route)
            } catch {
                end(running, caller)
                route.metrics?.onCompletion(route)
                caller.log(route, brokenBy: error)
                if (error as? APIError)?.endsConnection == true { throw error }
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
        for running in ended {
            running.leave()
            // One with a key is drawn on, for its client means to come back.
            if running.request.idempotencyKey != nil { readOn(running.request) }
        }
    }

    private func end(_ running: RunningCompletion, _ caller: Caller) {
        let waits = state.withLock { state in
            state.running[caller.key] = nil
            state.connections[ObjectIdentifier(caller.channel)]?.remove(caller.key)
            guard state.running.isEmpty else { return [CheckedContinuation<Void, Never>]() }
            defer { state.idleWaits = [] }
            return state.idleWaits
        }
        for wait in waits { wait.resume() }
        running.leave()
    }
}

extension FrontRoutes {
    /// An answer in JSON.
    static func response(_ json: JSONValue, status: Int = 200) -> Response {
        Response(
            status: .init(code: status), headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: json.pythonText)))
    }

    /// An error as an answer.
    static func response(_ error: APIError) -> Response {
        var response = response(error.json, status: error.status)
        if let seconds = error.retryAfterSeconds { response.headers[.retryAfter] = "\(seconds)" }
        if let methods = error.allowedMethods { response.headers[.allow] = methods }
        if error.status == 415 { response.headers[.acceptEncoding] = "identity" }
        if error.endsConnection { response.headers[.connection] = "close" }
        if error.status == 401 { response.headers[.wwwAuthenticate] = "Bearer" }
        return response
    }
}

extension Character {
    /// Whether it can stand in a header as it is.
    fileprivate var isPlain: Bool { isASCII && (isLetter || isNumber || "_-.".contains(self)) }
}
