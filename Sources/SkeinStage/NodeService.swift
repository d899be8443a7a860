public import Logging
public import SkeinCore
internal import SkeinModel
public import SkeinTensor
public import SkeinTransport
internal import SkeinWeights
internal import SkeinWire

/// One node: joins a cluster, holds the stages that the coordinator places on it, and keeps them
/// fed.
///
/// ```
///           ┌──────────────────── node ────────────────────┐
///  inbox ──►│ NodeService ──► stage's queue ──► Stage (actor │──► link to the next stage
///           │      │                            on its own   │──► link to the coordinator
///           │      └──► Alive every second      thread)      │
///           └────────────────────────────────────────────────┘
/// ```
///
/// The node knows its own name, its checkpoint folder and the coordinator's address. Everything
/// else (its slices, its neighbours, the number of pages) comes with the placement, so that a later
/// placement can change it.
public actor NodeService {
    /// What a node must know before it joins.
    public struct Settings: Sendable {
        /// The node's name in the cluster file.
        public var name: String
        /// The checkpoint folder on this host.
        public var modelFolder: String
        /// Where the coordinator listens.
        public var coordinatorAddress: String
        /// The coordinator's CURVE key, where links leave loopback.
        public var coordinatorKey: String?
        /// How the cluster serves.
        public var serving: ServingSettings
        /// The program's version, for people.
        public var softwareVersion: String
        /// Time between two heartbeats.
        public var heartbeatInterval: Duration = .milliseconds(500)
        /// Is told how the node joins and loads.
        public var onProgress: @Sendable (NodeProgress) -> Void = { _ in }

        /// Describes a node.
        public init(
            name: String, modelFolder: String, coordinatorAddress: String,
            coordinatorKey: String? = nil, serving: ServingSettings, softwareVersion: String
        ) {
            self.name = name
            self.modelFolder = modelFolder
            self.coordinatorAddress = coordinatorAddress
            self.coordinatorKey = coordinatorKey
            self.serving = serving
            self.softwareVersion = softwareVersion
        }
    }

    /// The node's life; each state holds exactly what exists in it.
    enum Life {
        /// Says hello until a placement or a refusal comes.
        case joining
        /// Loads the slices of a placement.
        case loading(Epoch)
        /// Runs micro-batches.
        case running(PlacedStages)
        /// Ended.
        case left
    }

    let settings: Settings
    let inbox: any Inbox
    let links: any LinkOpening
    let pool: ComputePool
    let computeThread: ComputeThread
    let logger: Logger
    /// The zero of the node's clock.
    let start: ContinuousClock.Instant
    let recorder: TimelineRecorder
    var life = Life.joining
    var checkpoint: Checkpoint?
    var coordinator: (any Link)?
    var heartbeatCount: UInt64 = 0
    var coordinatorHeardAt: ContinuousClock.Instant
    /// Whether the coordinator was silent for long while we ran, so that another node may have our
    /// place.
    var mayBeReplaced = false
    /// The checkpoint that we say hello with; `nil` before it is known.
    var fingerprint: String?
    /// Whether the link to the coordinator was connected before.
    var wasConnected = false
    /// Whether the coordinator has let us in and has not fallen silent since.
    var hasJoined = false
    /// Whether we have asked the coordinator to let us go.
    var isLeaving = false
    var lastError = ""
    var lastErrorAt: ContinuousClock.Instant
    var loadTask: Task<Void, Never>?
    /// Bytes read and bytes to read of the load that runs.
    var loadProgress = (doneBytes: 0, totalBytes: 0)
    /// What is in memory; another placement with the same part needs not read it again.
    var weights: LoadedWeights?
    /// The last micro-batch that each stage took under the placement at hand.
    var newestSteps: [StageIndex: MicroBatchID] = [:]

    /// Makes a node that has not joined yet.
    ///
    /// - Parameters:
    ///   - pool: the compute threads; nodes of one process share them.
    ///   - computeThread: where the node's stages run; nodes of one process share it.
    public init(
        settings: Settings, inbox: any Inbox, links: any LinkOpening, pool: ComputePool,
        computeThread: ComputeThread, logger: Logger
    ) {
        self.settings = settings
        self.inbox = inbox
        self.links = links
        self.pool = pool
        self.computeThread = computeThread
        self.logger = logger
        start = .now
        recorder = TimelineRecorder(origin: start)
        coordinatorHeardAt = .now
        lastErrorAt = .now
    }

    /// Joins the cluster and works until the coordinator says that everybody ends, or the task is
    /// cancelled.
    ///
    /// - Throws: a `Refusal` where the checkpoint cannot be opened or the coordinator refuses us.
    public func run() async throws {
        let checkpoint = try Checkpoint.open(settings.modelFolder)
        let fingerprint = try checkpoint.fingerprint(of: settings.serving.weightForm)
        self.checkpoint = checkpoint
        self.fingerprint = fingerprint
        if checkpoint.visionTensorCount > 0 {
            logger.info(
                "\(checkpoint.visionTensorCount) tensors that see are left alone; text is served")
        }
        coordinator = try links.open(
            to: settings.coordinatorAddress, publicKey: settings.coordinatorKey)
        settings.onProgress(.waiting(coordinator: settings.coordinatorAddress))
        let greetings = Task { await self.greet(fingerprint: fingerprint) }
        defer { greetings.cancel() }
        for await arrival in inbox.arrivals {
            guard try await receive(arrival, fingerprint: fingerprint) else { break }
        }
        await leave()
    }

    /// Tells the coordinator that this node goes away, and closes every link.
    private func leave() async {
        loadTask?.cancel()
        if case .running(let stages) = life { await stages.close() }
        if case .left = life {
        } else {
            await tell(.leave(reason: "the node was asked to end"), epoch: .none)
        }
        life = .left
        await coordinator?.close()
        await inbox.close()
    }

    /// Acts on one message.
    ///
    /// - Returns: whether the node goes on.
    private func receive(_ arrival: Arrival, fingerprint: String) async throws -> Bool {
        let arrived = ContinuousClock.now
        let envelope: Envelope
        do {
            envelope = try Envelope(parsing: arrival.frames, from: arrival.peer)
        } catch {
            note("\(error)")
            return true
        }
        switch envelope.body {
        case .refused(let reason):
            life = .left
            throw Refusal("coordinator at \(settings.coordinatorAddress)", reason)
        case .placement(let placement):
            noteCoordinator()
            mayBeReplaced = false
            await begin(placement, fingerprint: fingerprint)
        case .step(let step):
            await accept(step, envelope: envelope, arrived: arrived)
        case .dispatch(let dispatch): accept(dispatch, envelope: envelope, arrived: arrived)
        case .combine(let combine): accept(combine, envelope: envelope)
        case .alive(let alive):
            await letGo(unless: envelope.epoch)
            await answer(alive, heard: arrived)
        case .traceRequest(let request):
            await tell(.traceAnswer(recorder.answer(request)), epoch: envelope.epoch)
        case .shutdown:
            logger.info(
                isLeaving
                    ? "the coordinator lets this node go" : "the coordinator has this node end")
            if case .running(let stages) = life { await stages.close() }
            life = .left
            return false
        case .release(let sequences):
            guard case .running(let stages) = life,
                envelope.standing(in: stages.epoch) == .current
            else { break }
            await stages.release(sequences)
        default:
            note("\(arrival.peer): a \(envelope.body.kind) message is not for a node")
        }
        return true
    }

    private func accept(
        _ step: Step, envelope: Envelope, arrived: ContinuousClock.Instant
    ) async {
        guard case .running(let stages) = life, envelope.standing(in: stages.epoch) == .current
        else {
            logger.debug("dropped a step of epoch \(envelope.epoch.rawValue)")
            return
        }
        // Micro-batches keep their order: one that comes again, or behind a later one, is of the
        // past, and its pages may be another sequence's.
        let stage = envelope.target ?? StageIndex(0)
        if let newest = newestSteps[stage], step.microBatch.id <= newest {
            return logger.debug("dropped micro-batch \(step.microBatch.id.rawValue), out of order")
        }
        newestSteps[stage] = step.microBatch.id
        do throws(Refusal) {
            // The stage may take it up before the next line.
            let queued = ContinuousClock.now
            try stages.accept(step, target: envelope.target)
            recorder.note(
                .stage(envelope.target ?? StageIndex(0)), .receiving, of: step.microBatch.id,
                from: arrived, to: queued)
        } catch {
            note("\(error)")
            await tell(
                .fault(
                    Fault(
                        stage: envelope.target ?? StageIndex(0),
                        microBatch: step.microBatch.id, reason: error.description)),
                epoch: stages.epoch)
        }
    }

    /// The coordinator has spoken to us, so it knows us.
    func noteCoordinator() {
        coordinatorHeardAt = .now
        guard !hasJoined else { return }
        hasJoined = true
        settings.onProgress(.joined)
    }

    /// Remembers trouble for the next heartbeat, and logs it.
    func note(_ line: String) {
        lastError = line
        lastErrorAt = .now
        logger.warning("\(line)")
    }

    /// Sends a message to the coordinator; a link that is down is noted, not fatal, since the
    /// coordinator may come back.
    func tell(_ body: Envelope.Body, epoch: Epoch) async {
        guard let coordinator else { return }
        do {
            let envelope = Envelope(epoch: epoch, sender: settings.name, body: body)
            try await coordinator.send(envelope.packed())
        } catch {
            logger.debug("\(error)")
        }
    }
}
