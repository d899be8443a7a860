internal import SkeinCore
internal import SkeinTransport
internal import SkeinWeights
internal import SkeinWire

/// The stages of one node under one placement, loaded and joined to their neighbours.
struct PlacedStages: Sendable {
    /// The placement's number.
    let epoch: Epoch

    /// Bytes of weights that the node's slices touch.
    let weightBytes: Int

    private let services: [StageIndex: StageService]
    private let roads: [any Link]

    /// Loads the slices that the placement gives to `node` and opens the links they need.
    ///
    /// - Throws: a `Refusal` that names the tensor, file or peer.
    init(
        placement: SkeinWire.Placement, node: NodeService, coordinator: any Link,
        loader: StageLoader
    ) async throws {
        epoch = placement.epoch
        let name = node.settings.name
        let mine = placement.ring.filter { $0.nodeName == name }
        guard !mine.isEmpty else {
            throw Refusal("placement \(placement.epoch.rawValue)", "gives \(name) no stage")
        }
        let stages: [StageIndex: Stage]
        (stages, weightBytes) = try loader.load(mine, pageCount: placement.pageCount)
        var services: [StageIndex: StageService] = [:]
        var roads: [any Link] = []
        for place in mine {
            let onward: any Link
            if place.slice.holdsHead {
                onward = coordinator
            } else {
                let next = placement.ring[place.index.rawValue + 1]
                // A stage whose successor is on the same node (the turn of the V) still speaks to
                // it by link: one road for a micro-batch, whoever holds the next slice.
                onward = try node.links.open(to: next.address, publicKey: next.publicKey)
                roads.append(onward)
            }
            guard let stage = stages[place.index] else { continue }
            services[place.index] = StageService(
                stage: stage,
                place: StagePlace(
                    index: place.index, epoch: placement.epoch, nodeName: name,
                    microBatchesInFlight: placement.microBatchesInFlight,
                    recorder: node.recorder),
                onward: onward, coordinator: coordinator, logger: node.logger,
                onTrouble: { [weak node] line in await node?.note(line) })
        }
        self.services = services
        self.roads = roads
    }

    /// Starts every stage.
    func start() async {
        for service in services.values { await service.run() }
    }

    /// Queues a step for the stage that is meant.
    func accept(_ step: Step, target: StageIndex?) throws(Refusal) {
        guard let target, let service = services[target] else {
            let named = target.map { String($0.rawValue) } ?? "none"
            throw Refusal("step for stage \(named)", "this node holds no such stage")
        }
        try service.accept(step)
    }

    /// Forgets sequences that have ended.
    func release(_ sequences: [SequenceID]) async {
        for service in services.values { await service.release(sequences) }
    }

    /// Ends every stage after its running step and closes the roads between stages.
    func close() async {
        for service in services.values { await service.close() }
        for road in roads { await road.close() }
    }

    /// Adds the stages' vital signs to a heartbeat.
    func report(into alive: inout Alive) async {
        for (_, service) in services.sorted(by: { $0.key < $1.key }) {
            await service.report(into: &alive)
        }
    }
}
