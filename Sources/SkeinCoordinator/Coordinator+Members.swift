internal import Logging
internal import SkeinCore
internal import SkeinMembership
internal import SkeinScheduling
internal import SkeinTelemetry
internal import SkeinTransport
internal import SkeinWire

// Who belongs and what each node holds: the membership view's directives, carried out.
extension Coordinator {
    /// Time since this coordinator started.
    var now: Duration { ContinuousClock.now - start }

    /// Acts on one message from a node.
    func receive(_ arrival: Arrival) async {
        let envelope: Envelope
        do {
            envelope = try Envelope(parsing: arrival.frames, from: arrival.peer)
        } catch {
            logger.warning("\(error)")
            return
        }
        let sender = envelope.sender
        if let expected = settings.publicKeys[sender], arrival.peerKey != expected {
            logger.warning("\(arrival.peer): speaks as \(sender) with another node's key")
            return
        }
        if case .hello(let hello) = envelope.body {
            return await receive(hello, holding: envelope.epoch)
        }
        guard membership.isHere(sender) else {
            logger.debug("dropped a \(envelope.body.kind) message of \(sender), who is not here")
            return
        }
        await carryOut(membership.onAlive(sender, now: now))
        await receive(envelope, from: sender)
    }

    private func receive(_ envelope: Envelope, from sender: String) async {
        let isCurrent = envelope.standing(in: schedule.epoch) == .current
        switch envelope.body {
        case .loading(let loading):
            let share = Double(loading.doneBytes) / Double(max(1, loading.totalBytes))
            settings.onProgress(
                .loading(
                    node: sender, doneBytes: Int(clamping: loading.doneBytes),
                    totalBytes: Int(clamping: loading.totalBytes)))
            await carryOut(
                membership.onLoading(sender, epoch: envelope.epoch, share: share, now: now))
        case .ready(let ready):
            nodes[sender, default: NodeRecord()].weightBytes = ready.loadedWeightBytes
            settings.onProgress(
                .loaded(
                    node: sender, weightBytes: Int(clamping: ready.loadedWeightBytes),
                    residentBytes: Int(clamping: ready.residentBytes)))
            await carryOut(membership.onReady(sender, epoch: envelope.epoch, now: now))
        case .alive(let alive):
            note(alive, of: sender)
            settleStatusWaits(answered: sender)
        case .traceAnswer(let answer): note(answer, of: sender)
        case .leave: await carryOut(membership.onLeave(sender))
        case .tokenReturn(let tokenReturn): await receive(tokenReturn)
        case .captured(let captured) where isCurrent: receive(captured)
        case .fault(let fault) where envelope.epoch == membership.epoch:
            await receive(fault, from: sender)
        case .captured, .fault: break
        default:
            logger.warning("\(sender): a \(envelope.body.kind) message is not for the coordinator")
        }
    }

    private func receive(_ hello: Hello, holding epoch: Epoch) async {
        let name = hello.nodeName
        let report = NodeReport(
            name: name, version: hello.softwareVersion, wireVersion: hello.wireVersion,
            fingerprint: hello.fingerprint, incarnation: hello.processID, epoch: epoch)
        // A node that was started again is lost first, with its old link; then it comes again.
        await carryOut(membership.onRestart(report))
        if outboxes[name] == nil || nodeAddresses[name] != hello.inboxAddress {
            do throws(Refusal) {
                let link = try links.open(
                    to: hello.inboxAddress, publicKey: settings.publicKeys[name])
                // What cannot be sent shows in the node's silence, and a new epoch makes it good.
                let outbox = Outbox(over: link, messagesMax: Limits.outboxMessagesMax) {
                    [logger] line in logger.debug("node \(name): \(line)")
                }
                nodeAddresses[name] = hello.inboxAddress
                await outboxes.updateValue(outbox, forKey: name)?.abandon()
            } catch {
                logger.warning("node \(name): \(error)")
                return
            }
        }
        if membership.nodes[name] != nil {
            // A new process has a new clock.
            if nodes[name]?.hello?.processID != hello.processID { nodes[name]?.clock = PeerClock() }
            nodes[name, default: NodeRecord()].hello = hello
        }
        await carryOut(membership.onHello(report, now: now))
        if let failedOver = failoverPlacement() {
            await carryOut(membership.onPlacement(failedOver))
        }
    }

    private func note(_ alive: Alive, of name: String) {
        nodes[name, default: NodeRecord()].note(alive, now: now)
        for times in alive.stageTimes
        where membership.placement.stages(of: name).contains(where: { $0.stage == times.stage }) {
            ringProgress.onWork(
                RingProgress.StageWork(
                    stage: times.stage, node: name, current: times.currentMicroBatch,
                    currentTime: .microseconds(Int64(clamping: times.currentStepMicroseconds)),
                    last: times.lastMicroBatch), now: now)
        }
    }

    /// The connection to the peer that listens at an address broke.
    public func noteBrokenLink(to address: String) async {
        for (name, known) in nodeAddresses where known == address {
            await carryOut(membership.onLinkBroken(name, now: now))
        }
        beat()
    }

    /// Looks at everyone's silence and gives a sign of life to all.
    func tick() async {
        await carryOut(membership.onTick(now: now))
        settleStatusWaits()
        releaseLateProbe()
        beat()
        releaseLateTrace()
        continueTrace()
    }

    /// Gives every node a sign of life, which it answers with its vital signs.
    func beat() {
        heartbeatCount += 1
        let alive = Alive(sequenceNumber: heartbeatCount, sentAtMicroseconds: now.wholeMicroseconds)
        for name in outboxes.keys.sorted() where membership.isHere(name) {
            tell(name, .alive(alive))
        }
    }

    func carryOut(_ directives: [MembershipDirective]) async {
        for directive in directives { await carryOut(directive) }
    }

    private func carryOut(_ directive: MembershipDirective) async {
        switch directive {
        case .welcome(let name):
            // A node says hello until it is placed, and is welcomed each time.
            guard joinedNodes.insert(name).inserted else { return }
            settings.onProgress(.joined(node: name))
        case .refuse(let name, let refusal):
            logger.warning("refused \(refusal)")
            if membership.nodes[name] != nil {
                nodes[name, default: NodeRecord()].refusal = refusal
                nodes[name]?.troubleAt = now
            }
            tell(name, .refused(reason: refusal.description))
            if settings.endsWithItsNodes { end(refusal) }
        case .placed(let epoch, let placement):
            for name in placement.nodes { place(placement, on: name, epoch: epoch) }
        case .allReady(let epoch):
            await becomeReady(epoch)
        case .suspect(let name, let silence):
            let isBroken = membership.timeSinceBreak(of: name, now: now) != nil
            logger.warning(
                isBroken
                    ? "node \(name): its connection broke"
                    : "node \(name): has been silent for \(silence.secondsText)")
            // Nobody waits long for a probe that is stuck there.
            releaseLateProbe()
        case .recovered(let name):
            logger.info("node \(name) speaks again")
        case .dead(let name, let refusal):
            await lose(name, refusal)
        case .left(let name):
            await lose(name, Refusal("node \(name)", "has left"))
        }
    }

    /// Sends a node the placement that it is part of.
    private func place(
        _ placement: SkeinMembership.Placement, on name: String, epoch: Epoch
    ) {
        let ring = placement.stages.map { stage in
            RingStage(
                index: stage.stage, nodeName: stage.node,
                address: nodeAddresses[stage.node, default: ""],
                publicKey: settings.publicKeys[stage.node], slice: stage.slice)
        }
        let expertHosts = placement.expertHosts.map { host in
            ExpertHost(
                nodeName: host.node, address: nodeAddresses[host.node, default: ""],
                publicKey: settings.publicKeys[host.node], shard: host.shard)
        }
        tell(
            name,
            .placement(
                SkeinWire.Placement(
                    epoch: epoch, nodeIndex: placement.nodes.firstIndex(of: name) ?? 0,
                    kind: placement.kind, ring: ring,
                    microBatchesInFlight: schedule.plan.microBatchesInFlightMax,
                    fingerprint: settings.fingerprint, expertHosts: expertHosts,
                    settings: settings.serving.stage)),
            epoch: epoch)
    }

    private func becomeReady(_ epoch: Epoch) async {
        hasBeenReady = true
        if schedule.epoch < epoch {
            captureFlights = [:]
            outgoing = []
            sentAt = [:]
            ringProgress.onEpoch()
            await carryOut(schedule.onEpoch(epoch))
        }
        if case .forming(let waiting) = readiness {
            readiness = .ready
            for continuation in waiting { continuation.resume() }
        }
        settings.onProgress(.ready)
        await pump()
    }

    /// A node is gone: where it was placed a standby takes its place, or everything waits for its
    /// return, or ends.
    ///
    /// Raising the epoch now makes whatever the old ring still sends worthless; the new placement
    /// is announced once every node of it is here.
    private func lose(_ name: String, _ refusal: Refusal) async {
        joinedNodes.remove(name)
        settings.onProgress(.lost(node: name, refusal))
        if settings.endsWithItsNodes { return end(refusal) }
        await outboxes.removeValue(forKey: name)?.abandon()
        nodeAddresses[name] = nil
        nodes[name]?.alive = nil
        nodes[name]?.roundTrip = nil
        nodes[name]?.clock = PeerClock()
        loseFromTrace(name)
        nodes[name]?.troubleAt = now
        guard membership.placement.nodes.contains(name) else { return }
        if case .ready = readiness { readiness = .forming([]) }
        releaseProbeWaits()
        await carryOut(membership.onPlacement(failoverPlacement() ?? membership.placement))
    }

    /// The placement with standbys in the places of nodes that are lost; `nil` where there is
    /// nobody to replace or to replace them.
    private func failoverPlacement() -> SkeinMembership.Placement? {
        let failovers = membership.failovers { standby, lost in
            let available = nodes[standby]?.hello?.memoryAvailableBytes ?? 0
            // A host that cannot say what it has is believed to have enough.
            return available == 0 || available >= bytesHeld(by: lost)
        }
        guard !failovers.isEmpty else { return nil }
        for (lost, standby) in failovers.sorted(by: { $0.key < $1.key }) {
            settings.onProgress(.failedOver(node: lost, by: standby))
        }
        return membership.placement.replacing(failovers)
    }

    /// Bytes of weights, as the node itself has told, and of its latent cache.
    private func bytesHeld(by name: String) -> UInt64 {
        let layerCount = membership.placement.stages(of: name)
            .reduce(0) { $0 + $1.slice.layers.count }
        let cacheBytes =
            layerCount * settings.serving.heldPositionCount
            * settings.serving.latentForm.positionByteCount(of: settings.configuration)
        return (nodes[name]?.weightBytes ?? 0) + UInt64(cacheBytes)
    }

    /// Queues a message for a node; a link that is down shows in the node's silence.
    func tell(
        _ name: String, _ body: Envelope.Body, epoch: Epoch? = nil, target: StageIndex? = nil
    ) {
        guard let outbox = outboxes[name] else { return }
        do throws(WireError) {
            let envelope = Envelope(
                epoch: epoch ?? membership.epoch, sender: CoordinatorSettings.ownName,
                target: target, body: body)
            guard outbox.put(try envelope.packed()) else {
                return logger.debug("node \(name): its link is blocked")
            }
        } catch {
            logger.warning("node \(name): \(error)")
        }
    }
}
