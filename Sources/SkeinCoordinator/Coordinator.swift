public import Logging
public import SkeinCore
internal import SkeinMembership
internal import SkeinScheduling
internal import SkeinTelemetry
public import SkeinTransport
internal import SkeinWire

/// Owns requests from arrival to last token, and the placement of slices on nodes.
///
/// ```
///  submit ─► PipelineSchedule ─► stage 0 ─► … ─► last stage
///                  ▲                                 │
///                  └──────── TokenReturn ◄───────────┘
///  Hello, Ready, Alive ─► MembershipView ─► placements
/// ```
///
/// The decisions are the two values' (`PipelineSchedule`, `MembershipView`); this actor reads the
/// clock, carries out their directives and keeps the streams of those who wait. It is not on the
/// link of activations.
public actor Coordinator {
    let settings: CoordinatorSettings
    let inbox: any Inbox
    let links: any LinkOpening
    let logger: Logger
    let start = ContinuousClock.now
    var membership: MembershipView
    var schedule: PipelineSchedule
    var outboxes: [String: Outbox] = [:]
    var nodeAddresses: [String: String] = [:]
    var live: [SequenceID: LiveRequest] = [:]
    var captureFlights: [MicroBatchID: [SequenceSpan]] = [:]
    var nextSequenceNumber: UInt64 = 1
    var joinedNodes: Set<String> = []
    var nodes: [String: NodeRecord] = [:]
    var ringProgress = RingProgress()
    var probes = ProbeState()
    var heartbeatCount: UInt64 = 0
    var readiness: Readiness = .forming([])
    var statusWaits: [StatusWait] = []
    var collection: TraceCollection?
    var traceWait: TraceWait?
    var isPumping = false
    var outgoing: [MicroBatch] = []
    let constraintDesk = ConstraintDesk()
    /// What the return at hand left to be worked out.
    var constraintQuestions: [ConstraintDesk.Question] = []
    /// When each micro-batch in the ring was sent.
    var sentAt: [MicroBatchID: Duration] = [:]

    /// Whether every stage was loaded at some time: from then on requests wait while a lost node is
    /// away, for it may come back within seconds.
    public internal(set) var hasBeenReady = false

    /// Whether the ring can run micro-batches.
    enum Readiness {
        /// Nodes are joining or loading; these callers wait.
        case forming([CheckedContinuation<Void, any Error>])
        /// Every stage is loaded.
        case ready
        /// The cluster has ended, for this reason.
        case ended(Refusal)
    }

    /// Makes a coordinator that listens on `inbox` once it runs.
    public init(
        settings: CoordinatorSettings, inbox: any Inbox, links: any LinkOpening, logger: Logger
    ) {
        self.settings = settings
        self.inbox = inbox
        self.links = links
        self.logger = logger
        membership = MembershipView(
            placement: settings.placement, standbys: settings.standbys,
            reference: settings.reference,
            patience: settings.patience)
        schedule = PipelineSchedule(plan: settings.schedulePlan, epoch: Epoch.none.next)
    }

    /// Works until the task is cancelled or `shutdown()` is called.
    public func run() async {
        let ticks = Task {
            while !Task.isCancelled {
                await self.tick()
                do { try await Task.sleep(for: .milliseconds(500)) } catch { return }
            }
        }
        for await arrival in inbox.arrivals { await receive(arrival) }
        ticks.cancel()
        end(Refusal("cluster \(settings.clusterName)", "has ended"))
    }

    /// Waits until every stage is loaded.
    ///
    /// - Throws: a `Refusal` where the cluster cannot form.
    public func waitUntilReady() async throws {
        switch readiness {
        case .ready: return
        case .ended(let refusal): throw refusal
        case .forming:
            // Who waits for a cluster of its own gives up the cluster with the wait.
            try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    switch readiness {
                    case .forming(let waiting): readiness = .forming(waiting + [continuation])
                    case .ready: continuation.resume()
                    case .ended(let refusal): continuation.resume(throwing: refusal)
                    }
                }
            } onCancel: {
                guard settings.endsWithItsNodes else { return }
                Task { await self.fail(Refusal("cluster", "was interrupted while it formed")) }
            }
        }
    }

    /// Takes in a request.
    ///
    /// - Returns: the sequence's number, to stop it by, and its events.
    /// - Throws: a `Refusal` where the request can never run here, or too many wait.
    public func submit(
        _ request: GenerationRequest
    ) async throws(Refusal) -> (SequenceID, TokenStream) {
        if case .ended(let refusal) = readiness { throw refusal }
        try check(request)
        let progress = try await progress(of: request)
        if case .ended(let refusal) = readiness { throw refusal }
        let id = SequenceID(rawValue: nextSequenceNumber)
        nextSequenceNumber += 1
        let (stream, continuation) = TokenStream.makeStream(
            bufferingPolicy: .bufferingOldest(request.eventsMax(settings.configuration)))
        live[id] = LiveRequest(
            request: request, continuation: continuation, progress: progress)
        continuation.onTermination = { [weak self] ending in
            guard case .cancelled = ending else { return }
            Task { await self?.cancel(id) }
        }
        var arrival = SequenceRequest(
            id: id, promptTokens: request.promptTokens,
            stopRule: StopRule(
                completionTokensMax: request.newTokensMax, stopTokens: request.stopTokens),
            sampling: request.sampling, capture: request.capture,
            chunkRowsMax: request.chunkRowCount, tenant: request.tenant,
            label: request.printableLabel, isConstrained: progress != nil)
        if request.scoresPrompt {
            // The last row has no known successor: its score is of a token that stands in.
            arrival.targets = Array(request.promptTokens.dropFirst()) + [request.promptTokens[0]]
        }
        for directive in schedule.onArrival(arrival) {
            switch directive {
            case .refuse(_, let refusal), .busy(_, let refusal):
                live[id] = nil
                throw refusal
            default: await carryOut(directive)
            }
        }
        await pump()
        return (id, stream)
    }

    /// Ends a sequence whose text is complete.
    public func stop(_ sequence: SequenceID) async {
        await carryOut(schedule.onStop(sequence))
        await pump()
    }

    /// Ends a sequence whose client went away; its pages are free within one round.
    public func cancel(_ sequence: SequenceID) async {
        await carryOut(schedule.onCancel(sequence))
        await pump()
    }

    /// Tells every node that the cluster ends, and ends.
    public func shutdown() async {
        for name in outboxes.keys.sorted() { tell(name, .shutdown) }
        end(Refusal("cluster \(settings.clusterName)", "was shut down"))
        let closing = outboxes.values
        outboxes = [:]
        await withTaskGroup { links in
            for outbox in closing { links.addTask { await outbox.finish() } }
        }
        await inbox.close()
    }

    /// Ends the cluster for a reason that the wire cannot tell, such as the end of a process.
    public func fail(_ refusal: Refusal) { end(refusal) }

    /// Ends the cluster since a node's process has ended; nobody waits for its link any more.
    public func fail(_ refusal: Refusal, withoutNode name: String) async {
        end(refusal)
        await outboxes.removeValue(forKey: name)?.abandon()
    }

    /// Refuses what no stage should ever see.
    private func check(_ request: GenerationRequest) throws(Refusal) {
        let vocabularySize = settings.configuration.vocabularySize
        let known = 0..<Int32(clamping: vocabularySize)
        if let stray = request.promptTokens.first(where: { !known.contains($0.rawValue) }) {
            throw Refusal(
                "prompt", "token \(stray) is outside the vocabulary of \(vocabularySize)")
        }
        let biased = request.sampling.logitBias.keys
        if let stray = biased.first(where: { !known.contains($0.rawValue) }) {
            throw Refusal(
                "logit_bias", "token \(stray) is outside the vocabulary of \(vocabularySize)")
        }
        if let rows = request.chunkRowCount, rows < 1 || rows > Limits.microBatchRowsMax {
            throw Refusal("chunk", "is \(rows), expected 1 to \(Limits.microBatchRowsMax)")
        }
    }

    /// Ends every wait with a reason.
    func end(_ refusal: Refusal) {
        if case .ended = readiness { return }
        if case .forming(let waiting) = readiness {
            for continuation in waiting { continuation.resume(throwing: refusal) }
        }
        readiness = .ended(refusal)
        for request in live.values { request.continuation.finish(throwing: refusal) }
        live = [:]
        for wait in statusWaits { wait.continuation.resume() }
        statusWaits = []
        releaseTraceWait()
        settleProbe(.failed(refusal))
    }
}
