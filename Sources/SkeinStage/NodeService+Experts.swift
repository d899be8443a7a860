internal import Logging
internal import SkeinCore
internal import SkeinTransport
internal import SkeinWire

// What stages and expert hosts send each other.
extension NodeService {
    /// Queues rows for the node's experts.
    func accept(
        _ dispatch: Dispatch, envelope: Envelope, arrived: ContinuousClock.Instant
    ) {
        guard case .running(let stages) = life, envelope.standing(in: stages.epoch) == .current
        else {
            logger.debug("dropped a dispatch of epoch \(envelope.epoch.rawValue)")
            return
        }
        guard let host = stages.expertHost else { return refuse(dispatch, of: stages) }
        do throws(Refusal) {
            try host.accept(dispatch, arrived: arrived)
        } catch {
            note("\(error)")
        }
    }

    /// Gives what remote experts answered to the stage that waits for it.
    func accept(_ combine: Combine, envelope: Envelope) {
        guard case .running(let stages) = life, envelope.standing(in: stages.epoch) == .current
        else {
            logger.debug("dropped a combine of epoch \(envelope.epoch.rawValue)")
            return
        }
        do throws(Refusal) {
            try stages.accept(combine, target: envelope.target, from: envelope.sender)
        } catch {
            note("\(error)")
        }
    }

    /// Tells a stage that its rows will not come back, since this node has no experts: it would
    /// wait for them, and its requests with it.
    ///
    /// No link to that stage is kept for such a mistake; one is opened for the one answer.
    private func refuse(_ dispatch: Dispatch, of stages: PlacedStages) {
        let refusal = Refusal(
            "dispatch of layer \(dispatch.layer.rawValue)", "this node serves no experts")
        guard let asker = stages.asker(of: dispatch) else {
            return note("\(refusal), and no stage is \(dispatch.stage.rawValue)")
        }
        note("\(refusal)")
        let answer = Envelope(
            epoch: stages.epoch, sender: settings.name, target: asker.index,
            body: .combine(
                Combine(
                    microBatch: dispatch.microBatch, layer: dispatch.layer,
                    outcome: .refused(reason: refusal.description))))
        Task {
            do {
                let link = try links.open(to: asker.address, publicKey: asker.publicKey)
                do {
                    try await link.send(answer.packed())
                } catch {
                    note("link to node \(asker.nodeName): \(error)")
                }
                await link.close()
            } catch {
                note("link to node \(asker.nodeName): \(error)")
            }
        }
    }
}
