internal import Logging
internal import SkeinCore
internal import SkeinTransport
internal import SkeinWire

/// Opens the links between a node's stages and remote expert hosts, one for each pair of nodes
/// and direction.
struct ExpertJoining {
    private let part: NodePart
    private let node: NodeService
    private var outboxes: [String: Outbox] = [:]

    init(part: NodePart, node: NodeService) {
        self.part = part
        self.node = node
    }

    /// The outbox of every link that was opened.
    var opened: [Outbox] { Array(outboxes.values) }

    /// How a stage reaches the experts that are not local; `nil` where all are.
    mutating func remoteExperts(
        of place: RingStage, columnCount: Int
    ) throws(Refusal) -> RemoteExperts? {
        let layers = part.remoteLayers(of: place)
        guard !layers.isEmpty else { return nil }
        let placement = part.placement
        var peers: [Int: RemoteExperts.Peer] = [:]
        for host in part.hosts(of: layers) {
            let holder = placement.expertHosts[host]
            peers[host] = RemoteExperts.Peer(
                nodeName: holder.nodeName,
                outbox: try outbox(
                    to: holder.nodeName, address: holder.address, publicKey: holder.publicKey))
        }
        return RemoteExperts(
            stage: place.index, epoch: placement.epoch, nodeName: node.settings.name,
            form: placement.settings.dispatchForm, peers: part.peers(of: layers), links: peers,
            waits: CombineWaits(columnCount: columnCount),
            keeper: StageTimekeeper(stage: place.index), recorder: node.recorder)
    }

    /// Joins the node's experts to every stage of the ring.
    mutating func service(of host: ShardHost) throws(Refusal) -> ExpertHostService {
        let placement = part.placement
        var byStage: [StageIndex: Outbox] = [:]
        for stage in placement.ring {
            byStage[stage.index] = try outbox(
                to: stage.nodeName, address: stage.address, publicKey: stage.publicKey)
        }
        return ExpertHostService(
            host: host,
            place: ExpertHostService.Place(
                number: part.hostNumber ?? 0, epoch: placement.epoch,
                nodeName: node.settings.name, dispatchesMax: messagesMax,
                recorder: node.recorder),
            outboxes: byStage, logger: node.logger)
    }

    /// One dispatch or answer for each begun micro-batch of every stage.
    private var messagesMax: Int { part.placement.ring.count * part.placement.settings.stepsAtOnce }

    private mutating func outbox(
        to name: String, address: String, publicKey: String?
    ) throws(Refusal) -> Outbox {
        if let known = outboxes[name] { return known }
        let link = try node.links.open(to: address, publicKey: publicKey)
        let outbox = Outbox(over: link, messagesMax: 2 * messagesMax) { [weak node] line in
            await node?.note("link to node \(name): \(line)")
        }
        outboxes[name] = outbox
        return outbox
    }
}
