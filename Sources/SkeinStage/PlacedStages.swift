internal import Logging
internal import SkeinCore
internal import SkeinTransport
internal import SkeinWeights
internal import SkeinWire

/// The stages and the experts of one node under one placement, loaded and joined to their
/// neighbours.
struct PlacedStages: Sendable {
    /// The placement's number.
    let epoch: Epoch

    /// The weights of the node's slices and experts.
    let weights: LoadedWeights

    /// The stages of the whole ring.
    private let ring: [RingStage]

    /// Serves the node's experts to remote stages; absent where it has none for them.
    let expertHost: ExpertHostService?

    private let services: [StageIndex: StageService]
    private let links: [any Link]
    private let outboxes: [Outbox]

    /// Loads what a placement gives to `node` and opens the links that it needs.
    ///
    /// - Throws: a `Refusal` that names the tensor, file or peer.
    init(
        _ part: NodePart, node: NodeService, coordinator: any Link, loader: StageLoader
    ) async throws {
        let placement = part.placement
        epoch = placement.epoch
        ring = placement.ring
        let loaded = try loader.load(part)
        weights = loaded.weights
        if part.lacksPrediction(loader.checkpoint) {
            node.logger.notice(
                "the checkpoint has no prediction layer: nothing is guessed ahead",
                metadata: ["model": "\(loader.checkpoint.folder)"])
        }
        var links: [any Link] = []
        var joining = ExpertJoining(part: part, node: node)
        var services: [StageIndex: StageService] = [:]
        for place in part.stages {
            let onward: any Link
            if place.slice.holdsHead {
                onward = coordinator
            } else {
                let next = placement.ring[place.index.rawValue + 1]
                // A stage whose successor is on the same node (the turn of the V) still speaks to
                // it by link: one link for a micro-batch, no matter which holds the next slice.
                onward = try node.links.open(to: next.address, publicKey: next.publicKey)
                links.append(onward)
            }
            guard let stage = loaded.stages[place.index] else { continue }
            services[place.index] = StageService(
                stage: stage,
                place: StagePlace(
                    index: place.index, epoch: placement.epoch, nodeName: node.settings.name,
                    microBatchesInFlight: placement.microBatchesInFlight,
                    stepsAtOnce: placement.settings.stepsAtOnce, recorder: node.recorder),
                remote: try joining.remoteExperts(
                    of: place, columnCount: loader.checkpoint.configuration.hiddenSize),
                onward: onward, coordinator: coordinator, logger: node.logger,
                onTrouble: { [weak node] line in await node?.note(line) })
        }
        expertHost = try loaded.shardHost.map { try joining.service(of: $0) }
        self.services = services
        self.links = links
        outboxes = joining.opened
    }

    /// Starts every stage, and the expert host.
    func start() async {
        for service in services.values { await service.run() }
        await expertHost?.run()
    }

    /// Queues a step for the stage that is meant.
    func accept(_ step: Step, target: StageIndex?) throws(Refusal) {
        guard let target, let service = services[target] else {
            let named = target.map { String($0.rawValue) } ?? "none"
            throw Refusal("step for stage \(named)", "this node holds no such stage")
        }
        try service.accept(step)
    }

    /// Whom to tell that a dispatch is not served here; `nil` where no stage of the ring asked.
    func asker(of dispatch: Dispatch) -> RingStage? {
        ring.first { $0.index == dispatch.stage }
    }

    /// Takes what an expert host gave for a step of the stage that is meant.
    func accept(
        _ combine: Combine, target: StageIndex?, from host: String
    ) throws(Refusal) {
        guard let target, let service = services[target] else {
            let named = target.map { String($0.rawValue) } ?? "none"
            throw Refusal("combine for stage \(named)", "this node holds no such stage")
        }
        try service.accept(combine, from: host)
    }

    /// Forgets sequences that have ended.
    func release(_ sequences: [SequenceID]) async {
        for service in services.values { await service.release(sequences) }
    }

    /// Ends every stage after its running step and closes the links between stages.
    func close() async {
        for service in services.values { await service.close() }
        await expertHost?.close()
        for link in links { await link.close() }
        for outbox in outboxes { await outbox.abandon() }
    }

    /// Adds the stages' vital signs to a heartbeat.
    func report(into alive: inout Alive) async {
        for (_, service) in services.sorted(by: { $0.key < $1.key }) {
            await service.report(into: &alive)
        }
        await expertHost?.report(into: &alive)
    }
}
