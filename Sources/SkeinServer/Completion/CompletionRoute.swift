internal import Hummingbird
internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinTelemetry
internal import SkeinText

/// Answers one call, whole or as a stream of events.
///
/// The two ways read the same events with the same readers, so that a stream's pieces put together
/// are the whole answer.
struct CompletionRoute: Sendable {
    private let call: CompletionCall
    private let form: AnswerForm
    private let running: RunningCompletion
    private var readers: [ChoiceReader] = []
    /// The prompts before the answers, where they are wanted.
    private var echoes: [EchoReader?] = []
    /// Numbers of tokens that were drawn and not given out yet, where they are wanted.
    private var drawn: [[TokenID]] = []
    /// The answers whose prompt's numbers are out.
    private var opened: Set<Int> = []
    /// When the tokens of each answer came.
    private(set) var timelines: [RequestTimeline] = []
    /// Measures what the first reader of an answer is given; `nil` for later ones.
    let metrics: FrontMetrics?
    private let received: ContinuousClock.Instant
    /// How far the stream has come, and what of it the client has.
    private var position: EventPosition
    private let known: EventPosition

    /// - Parameter known: what the client has of the stream, by the last `id:` line it got.
    init(
        _ call: CompletionCall, running: RunningCompletion, service: ModelService,
        metrics: FrontMetrics?, since received: ContinuousClock.Instant,
        known: EventPosition? = nil
    ) throws(APIError) {
        self.call = call
        self.running = running
        self.metrics = metrics
        self.received = received
        position = EventPosition(answerCount: call.answerCount)
        self.known = known ?? position
        form = AnswerForm(call, of: running.request, service: service)
        for _ in 0..<call.answerCount {
            readers.append(
                try ChoiceReader(call, text: service.text))
        }
        drawn = readers.map { _ in [] }
        timelines = readers.map { _ in RequestTimeline(receivedAt: .zero) }
        for index in readers.indices {
            echoes.append(call.echoes.isEmpty ? nil : call.echoes[index / call.choiceCount])
        }
    }

    /// What was used so far.
    var usage: Usage { Usage(call, readers: readers) }

    /// Why each answer ended; one that did not was cancelled.
    var finishWords: [String] {
        readers.map { $0.finishReason == nil ? FinishReason.cancelled.rawValue : $0.finishWord }
    }

    /// How long the request has taken so far.
    var age: Duration { ContinuousClock.now - received }

    /// Waits for the end of all answers.
    mutating func gather() async throws -> JSONValue {
        var answers = readers.map { _ in GatheredAnswer(to: call.conversation) }
        var tokens: [[SampledToken]] = readers.map { _ in [] }
        for index in answers.indices {
            if let echo = echoes[index] { answers[index].take([.content(echo.text)]) }
        }
        for try await event in running.events {
            let pieces = try await take(event)
            answers[event.choice].take(pieces)
            tokens[event.choice] += readers[event.choice].takeTokens()
        }
        var choices: [JSONValue] = []
        for index in readers.indices {
            choices.append(
                form.choice(
                    index, message: answers[index],
                    logprobs: form.logprobs(tokens[index], after: echoes[index], textOffset: 0),
                    finishReason: readers[index].finishWord, tokens: takeNumbers(index)))
        }
        return form.answer(
            choices, usage: usage, prompt: call.returnsTokens ? call.prompts.first : nil)
    }

    /// Writes the answers as they grow.
    mutating func stream(to writer: inout EventStreamWriter) async throws {
        var offsets = readers.map { _ in 0 }
        if call.conversation != nil {
            let opening = JSONValue.fields(["role": .string("assistant"), "content": .string("")])
            for index in readers.indices {
                let choice = form.choice(index, delta: opening, logprobs: .null, finishReason: nil)
                try await write(
                    chunk(choice, prompt: call.returnsTokens ? call.prompts.first : nil),
                    of: index, to: &writer)
            }
        }
        for try await event in running.events {
            var deltas = try await take(event).compactMap {
                $0.delta(answering: call.conversation)
            }
            let index = event.choice
            if deltas.isEmpty, !drawn[index].isEmpty, !event.isEnd {
                // Who counts tokens sees each of them when it is there, text or not.
                deltas = [.fields(["content": .string("")])]
            }
            if !event.isPrompt, let echo = echoes[index] {
                echoes[index] = nil
                try await write(chunk(opening(index, echo)), of: index, to: &writer)
                offsets[index] += echo.text.unicodeScalars.count
            }
            for delta in deltas {
                let logprobs = form.logprobs(
                    readers[index].takeTokens(), textOffset: offsets[index])
                offsets[index] += delta["content"]?.string?.unicodeScalars.count ?? 0
                try await write(
                    chunk(
                        form.choice(
                            index, delta: delta, logprobs: logprobs, finishReason: nil,
                            tokens: takeNumbers(index))), of: index, to: &writer)
            }
            guard case .finished = event.event else { continue }
            let logprobs = form.logprobs(readers[index].takeTokens(), textOffset: offsets[index])
            try await write(
                chunk(
                    form.choice(
                        index, delta: .object([]), logprobs: logprobs,
                        finishReason: readers[index].finishWord, tokens: takeNumbers(index))),
                of: index, to: &writer)
        }
        if call.includesUsage {
            try await write(form.chunk([], usage: usage.json), of: nil, to: &writer)
        }
    }

    /// Writes an event of an answer, or of none, unless the client has it.
    private mutating func write(
        _ value: JSONValue, of answer: Int?, to writer: inout EventStreamWriter
    ) async throws {
        position.step(of: answer)
        if known.holds(position, of: answer) { return }
        try await writer.write(value, id: position.text)
    }

    /// Reads an event, and ends the answer whose stop string it completed.
    private mutating func take(_ event: ChoiceEvent) async throws(APIError) -> [AnswerPiece] {
        switch event.event {
        case .token(let token):
            let gap = timelines[event.choice].onEmission(
                tokenCount: 1, at: event.instant - received)
            if let gap { metrics?.onGap(gap) }
            let wasStopped = readers[event.choice].isStopped
            if call.returnsTokens, !wasStopped { drawn[event.choice].append(token.token) }
            let pieces = readers[event.choice].push(token)
            if !wasStopped, readers[event.choice].isStopped { await running.stop(event.choice) }
            return pieces
        case .finished(.cancelled): throw .unavailable("the answer was broken off")
        case .finished(let reason): return readers[event.choice].finish(reason)
        case .began(let count):
            readers[event.choice].begin(cachedTokenCount: count)
            timelines[event.choice].onBegan(at: event.instant - received)
            return []
        case .drafted(let counts):
            readers[event.choice].note(counts)
            return []
        case .scored(let scores):
            echoes[event.choice]?.take(scores)
            return []
        case .captured: return []
        }
    }

    /// The prompt, as the first chunk of its answer.
    private func opening(_ index: Int, _ echo: EchoReader) -> JSONValue {
        form.choice(
            index, delta: .fields(["content": .string(echo.text)]),
            logprobs: form.logprobs([], after: echo, textOffset: 0), finishReason: nil)
    }

    /// The numbers of an answer's tokens since the last time.
    private mutating func takeNumbers(_ index: Int) -> ChoiceTokens {
        guard call.returnsTokens else { return ChoiceTokens() }
        defer { drawn[index] = [] }
        let isFirst = opened.insert(index).inserted
        return ChoiceTokens(
            prompt: isFirst ? call.prompts[index / call.choiceCount] : nil, answer: drawn[index])
    }

    private func chunk(_ choice: JSONValue, prompt: [TokenID]? = nil) -> JSONValue {
        let running: JSONValue? = call.includesUsage ? .null : nil
        return form.chunk(
            [choice], usage: call.includesRunningUsage ? usage.json : running, prompt: prompt)
    }
}

extension ChoiceEvent {
    /// Whether it is the last one.
    fileprivate var isEnd: Bool { if case .finished = event { true } else { false } }

    /// Whether it is about the prompt, so that the answer is still to begin.
    fileprivate var isPrompt: Bool {
        switch event {
        case .began, .scored, .captured: true
        case .token, .drafted, .finished: false
        }
    }
}

/// Writes server-sent events.
struct EventStreamWriter {
    private var body: any ResponseBodyWriter

    init(_ body: any ResponseBodyWriter) { self.body = body }

    /// Writes one event.
    ///
    /// - Parameter id: by which a client tells, when it comes back, what it has.
    mutating func write(_ value: JSONValue, id: String? = nil) async throws {
        let line = id.map { "id: \($0)\n" } ?? ""
        try await body.write(ByteBuffer(string: "\(line)data: \(value.pythonText)\n\n"))
    }

    /// Writes the event by which clients know that the stream was not cut off.
    mutating func writeEnd() async throws {
        try await body.write(ByteBuffer(string: "data: [DONE]\n\n"))
    }

    /// Ends the response.
    consuming func finish() async throws { try await body.finish(nil) }
}
