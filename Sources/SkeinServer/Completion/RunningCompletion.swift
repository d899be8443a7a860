internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinJournal

/// An event of one of a request's answers.
struct ChoiceEvent: Sendable {
    /// Which answer, counted over all prompts.
    let choice: Int
    /// What happened to it.
    let event: GenerationEvent
    /// When it happened, whenever the client reads it.
    let instant: ContinuousClock.Instant
}

/// The sequences of one request, on their way through the ring.
final class RunningCompletion: Sendable {
    /// How long a completion may take.
    struct Bounds: Sendable {
        /// From its start to its last token.
        let whole: Duration
        /// For which it waits for its first token while a node is lost.
        let lostNode: Duration
    }

    /// What the client has asked.
    let request: ClientRequest

    /// What happens to all answers, each in its own order.
    let events: AsyncThrowingStream<ChoiceEvent, any Error>

    private let coordinator: Coordinator
    private let continuation: AsyncThrowingStream<ChoiceEvent, any Error>.Continuation
    private let sequences: [SequenceID]
    private let pump: Task<Void, Never>
    private let clock: Task<Void, Never>
    private let lostNodeWatch: Task<Void, Never>

    private init(
        _ request: ClientRequest, coordinator: Coordinator, streams: [(SequenceID, TokenStream)],
        eventsMax: Int, bounds: Bounds, onOverdue: @escaping @Sendable () -> Void
    ) {
        self.request = request
        self.coordinator = coordinator
        sequences = streams.map(\.0)
        let (events, continuation) = AsyncThrowingStream<ChoiceEvent, any Error>.makeStream(
            bufferingPolicy: .bufferingOldest(eventsMax))
        self.events = events
        self.continuation = continuation
        clock = Task { [sequences] in
            do { try await Self.sleepInNaps(for: bounds.whole) } catch { return }
            continuation.finish(throwing: APIError.timedOut(bounds.whole))
            // The client may be one that does not read: nobody else would end the sequences.
            for sequence in sequences { await coordinator.cancel(sequence) }
            do { try await Task.sleep(for: .seconds(Limits.httpLingerSecondsMax)) } catch { return }
            onOverdue()
        }
        let lostNodeWatch = Task { [sequences] in
            guard await Self.outlasts(bounds.lostNode, coordinator) else { return }
            continuation.finish(throwing: APIError.nodeAway(bounds.lostNode))
            for sequence in sequences { await coordinator.cancel(sequence) }
        }
        self.lostNodeWatch = lostNodeWatch
        pump = Task {
            do {
                try await withThrowingTaskGroup(of: Void.self) { answers in
                    for (choice, stream) in streams.enumerated() {
                        answers.addTask {
                            for try await event in stream.1 {
                                // An answer that has begun goes on however long it takes.
                                if case .token = event { lostNodeWatch.cancel() }
                                continuation.yield(
                                    ChoiceEvent(choice: choice, event: event, instant: .now))
                            }
                        }
                    }
                    try await answers.waitForAll()
                }
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
    }

    /// Waits until the ring has stood still for longer than a bound.
    ///
    /// - Returns: `false` where the wait was cancelled before.
    private static func outlasts(_ bound: Duration, _ coordinator: Coordinator) async -> Bool {
        var lostAt: ContinuousClock.Instant?
        while !Task.isCancelled {
            let now = ContinuousClock.now
            lostAt = await coordinator.isReady ? nil : lostAt ?? now
            if let lostAt, now - lostAt >= bound { return true }
            do { try await Task.sleep(for: min(bound, .milliseconds(500))) } catch { return false }
        }
        return false
    }

    /// Sleeps, a few seconds at a time: what a cancelled sleep holds is given back when it would
    /// have ended, and no sooner, and a request may take hours.
    private static func sleepInNaps(for bound: Duration) async throws {
        let end = ContinuousClock.now + bound
        while true {
            let left = end - .now
            guard left > .zero else { return }
            try await Task.sleep(for: min(left, .seconds(5)))
        }
    }

    /// How a request comes to run.
    enum Beginning {
        /// It is new.
        case submit
        /// It was taken in before: its answers are read from their first tokens on.
        case resume
    }

    /// Submits or resumes every sequence of a call; where one is not taken, none runs.
    ///
    /// - Parameters:
    ///   - request: what the client has asked, of which `call` was read.
    ///   - bounds: how long the answers may take.
    ///   - onOverdue: is called where they took longer and nobody reads that they did.
    /// - Throws: `AdmissionError.repeated` by itself; every other error as the client is told it.
    static func start(
        _ call: CompletionCall, of request: ClientRequest, on service: ModelService,
        tenant: String, by beginning: Beginning, bounds: Bounds,
        onOverdue: @escaping @Sendable () -> Void
    ) async throws(AdmissionError) -> RunningCompletion {
        var streams: [(SequenceID, TokenStream)] = []
        var eventsMax = 0
        for answer in 0..<call.answerCount {
            let (generation, count) = call.generation(
                of: request, answer: answer, tenant: tenant, service: service)
            do throws(AdmissionError) {
                switch beginning {
                case .submit: streams.append(try await service.coordinator.submit(generation))
                case .resume: streams.append(try await service.coordinator.resume(generation))
                }
            } catch {
                if beginning == .submit {
                    for stream in streams { await service.coordinator.cancel(stream.0) }
                }
                throw error
            }
            eventsMax += count
        }
        return RunningCompletion(
            request, coordinator: service.coordinator, streams: streams, eventsMax: eventsMax,
            bounds: bounds, onOverdue: onOverdue)
    }

    /// Ends one answer whose text is complete.
    func stop(_ choice: Int) async { await coordinator.stop(sequences[choice]) }

    /// Ends all answers before their time; their readers are told.
    func breakOff() async {
        for sequence in sequences { await coordinator.cancel(sequence) }
    }

    /// Leaves the answers to the head that is started next: their readers ask there again.
    func leaveToNextHead() { continuation.finish(throwing: APIError.headIsChanging) }

    /// Reads no further: where nobody else does, the answers rest, or go on for a client that
    /// means to come back.
    func leave() {
        clock.cancel()
        lostNodeWatch.cancel()
        pump.cancel()
    }
}

extension CompletionCall {
    /// What one answer is drawn from, and how many events it can have at most.
    fileprivate func generation(
        of request: ClientRequest, answer: Int, tenant: String, service: ModelService
    ) -> (GenerationRequest, eventsMax: Int) {
        let wanted = self.request(
            prompt: answer / choiceCount, choice: answer % choiceCount,
            positionCountMax: service.positionCountMax)
        return (
            GenerationRequest(
                promptTokens: wanted.promptTokens, newTokensMax: wanted.newTokensMax,
                sampling: wanted.sampling, stopTokens: stopTokens, constraint: constraint,
                scoresPrompt: wanted.scoresPrompt, tenant: tenant, label: request.label,
                origin: RequestOrigin(request: request, answer: answer)), wanted.eventsMax
        )
    }
}
