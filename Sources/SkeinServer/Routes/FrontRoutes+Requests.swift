internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinJournal

// Requests whose clients come back: by an idempotency key, or by the request's name.
extension FrontRoutes {
    /// What is known of a request that the client has asked before; one that has failed is asked
    /// again.
    ///
    /// - Throws: an error where the same key came with another request.
    func repeated(_ asked: ClientRequest) async throws(APIError) -> RememberedRequest? {
        guard let key = asked.idempotencyKey,
            let known = await service.coordinator.request(withKey: key, of: asked.tenant),
            !known.hasFailed
        else { return nil }
        guard known.request.path == asked.path, known.request.body == asked.body else {
            throw .keyReused
        }
        return known
    }

    /// Answers from a request that is known, in the form in which it was asked.
    func goOn(
        _ known: RememberedRequest, _ asking: Route.Asking, isStreaming: Bool? = nil
    ) async throws(APIError) -> Response {
        let call = try read(known.request)
        var position: EventPosition?
        if let text = asking.request.headers[.lastEventID], isStreaming ?? call.isStreaming {
            position = EventPosition(text, answerCount: call.answerCount)
            guard position != nil else { throw .noSuchEvent(text) }
        }
        let running: RunningCompletion
        do throws(AdmissionError) {
            running = try await start(call, of: known.request, asking, by: .resume)
        } catch {
            throw .notAdmitted(error, promptField: call.promptField)
        }
        return try await answer(
            call, running, asking.caller, metrics: nil, isStreaming: isStreaming, known: position)
    }

    /// A request's state, with its answer once it is whole; or its events.
    func request(_ asking: Route.Asking) async throws(APIError) -> Response {
        let events = "/events"
        let wantsEvents = asking.rest.hasSuffix(events)
        let name = wantsEvents ? String(asking.rest.dropLast(events.count)) : asking.rest
        guard
            let known = await service.coordinator.request(
                named: AnswerForm.requestName(of: name), of: asking.owner)
        else {
            throw .notFound(
                "id", "there is no request '\(name.prefix(100))', or none any more",
                code: "request_not_found")
        }
        if wantsEvents { return try await goOn(known, asking, isStreaming: true) }
        var answer: JSONValue?
        if known.hasEnded, !known.hasFailed {
            answer = try await gathered(
                try read(known.request), known.request, tenant: asking.tenant)
        }
        return Self.response(
            .fields([
                "id": .string(known.request.id), "object": .string("request"),
                "status": .string(known.status), "created": .count(known.request.acceptedAt),
                "path": .string(known.request.path), "response": answer ?? .null,
                "error": known.failure.map { .string($0.description) } ?? .null,
            ]))
    }

    /// The call of a request that was taken in, with the seed that it had then.
    private func read(_ request: ClientRequest) throws(APIError) -> CompletionCall {
        try read(
            try RequestFields(body: Array(request.body.utf8), seed: request.seed),
            path: request.path)
    }

    /// The whole answer of a request that was taken in, once it is there.
    private func gathered(
        _ call: CompletionCall, _ request: ClientRequest, tenant: String
    ) async throws(APIError) -> JSONValue {
        let running: RunningCompletion
        do throws(AdmissionError) {
            running = try await RunningCompletion.start(
                call, of: request, on: service, tenant: tenant, by: .resume,
                // Nobody is told that it takes long: it may wait for nodes as long as it may run.
                bounds: RunningCompletion.Bounds(
                    whole: settings.requestBound, lostNode: settings.requestBound),
                onOverdue: {})
        } catch {
            throw .notAdmitted(error, promptField: call.promptField)
        }
        defer { running.leave() }
        var route = try CompletionRoute(
            call, running: running, service: service, metrics: nil, since: .now)
        do {
            return try await route.gather()
        } catch {
            throw error as? APIError ?? .broken(error)
        }
    }

    /// Goes on with what a head before this one has left in the middle.
    func resumeInterrupted() async {
        for request in await service.coordinator.interrupted { readOn(request) }
    }

    /// Reads a request to its end, so that its stop strings count though no client is there.
    func readOn(_ request: ClientRequest) {
        do throws(APIError) {
            let call = try read(request)
            let tenant = sharesPrefixes ? "" : request.tenant
            Task {
                // How it ends is written down; nobody is here to be told.
                do throws(APIError) {
                    _ = try await self.gathered(call, request, tenant: tenant)
                } catch {
                    self.logger.info("request \(request.label): \(error.message)")
                }
            }
        } catch {
            logger.warning("request \(request.label) cannot go on: \(error.message)")
        }
    }
}

extension ClientRequest {
    /// What a client asks now.
    init(_ fields: RequestFields, _ asking: Route.Asking) throws(APIError) {
        let key = asking.request.headers[.idempotencyKey]
        if let key, !(1...Limits.requestNameCharactersMax).contains(key.utf8.count) {
            throw .invalid(
                "Idempotency-Key",
                "Idempotency-Key: found \(key.utf8.count) characters, expected 1 to "
                    + "\(Limits.requestNameCharactersMax)")
        }
        self.init(
            id: asking.caller.key, label: asking.caller.requestID, tenant: asking.owner,
            idempotencyKey: key, path: asking.request.uri.path, body: fields.body,
            acceptedAt: Int(Date().timeIntervalSince1970), seed: fields.standingSeed)
    }
}

extension RememberedRequest {
    /// Where it stands, in one word.
    fileprivate var status: String {
        if hasEnded { return hasFailed ? "failed" : "completed" }
        return answers.values.contains { $0.rests } ? "paused" : "in_progress"
    }

    /// Why it could not go on.
    fileprivate var failure: Refusal? {
        for answer in answers.values {
            if case .failed(let refusal) = answer.end { return refusal }
        }
        return nil
    }
}

extension APIError {
    /// An idempotency key that came before with another request.
    fileprivate static let keyReused = APIError(
        status: 422, type: "invalid_request_error",
        message: "Idempotency-Key: was used before with another path or body",
        param: "Idempotency-Key", code: "idempotency_key_reused")

    /// An event that the stream does not have.
    fileprivate static func noSuchEvent(_ found: String) -> APIError {
        .invalid(
            "Last-Event-ID",
            "Last-Event-ID: found '\(found.prefix(60))', expected what an id line of this stream "
                + "says")
    }
}
