internal import SkeinCoordinator
internal import SkeinCore

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
    /// What happens to all answers, each in its own order.
    let events: AsyncThrowingStream<ChoiceEvent, any Error>

    private let coordinator: Coordinator
    private let sequences: [SequenceID]
    private let pump: Task<Void, Never>

    private init(
        coordinator: Coordinator, streams: [(SequenceID, TokenStream)], eventsMax: Int
    ) {
        self.coordinator = coordinator
        sequences = streams.map(\.0)
        let (events, continuation) = AsyncThrowingStream<ChoiceEvent, any Error>.makeStream(
            bufferingPolicy: .bufferingOldest(eventsMax))
        self.events = events
        pump = Task {
            do {
                try await withThrowingTaskGroup(of: Void.self) { answers in
                    for (choice, stream) in streams.enumerated() {
                        answers.addTask {
                            for try await event in stream.1 {
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

    /// Submits every sequence of a call; where one is not taken, none runs.
    static func start(
        _ call: CompletionCall, on service: ModelService, tenant: String, label: String
    ) async throws(APIError) -> RunningCompletion {
        var streams: [(SequenceID, TokenStream)] = []
        var eventsMax = 0
        for prompt in call.prompts.indices {
            for choice in 0..<call.choiceCount {
                let wanted = call.request(
                    prompt: prompt, choice: choice, positionCountMax: service.positionCountMax)
                do throws(Refusal) {
                    streams.append(
                        try await service.coordinator.submit(
                            GenerationRequest(
                                promptTokens: wanted.promptTokens,
                                newTokensMax: wanted.newTokensMax, sampling: wanted.sampling,
                                stopTokens: call.stopTokens, scoresPrompt: wanted.scoresPrompt,
                                tenant: tenant, label: label)))
                } catch {
                    for stream in streams { await service.coordinator.cancel(stream.0) }
                    throw .notAdmitted(error, promptField: call.promptField)
                }
                eventsMax += wanted.eventsMax
            }
        }
        return RunningCompletion(
            coordinator: service.coordinator, streams: streams, eventsMax: eventsMax)
    }

    /// Ends one answer whose text is complete.
    func stop(_ choice: Int) async { await coordinator.stop(sequences[choice]) }

    /// Ends all answers; nobody waits for them.
    func cancel() async {
        pump.cancel()
        for sequence in sequences { await coordinator.cancel(sequence) }
    }
}
