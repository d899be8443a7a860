internal import Logging
internal import SkeinCore
internal import SkeinMembership
internal import SkeinScheduling
internal import SkeinTelemetry
internal import SkeinWire

// Who belongs and what each node holds: messages of nodes, and the membership view's directives.
extension Head {
    /// Acts on one message from a node.
    ///
    /// - Parameters:
    ///   - peer: where it came from, for the log.
    ///   - peerKey: the key that the peer has proven; `nil` on a link without keys.
    mutating func onMessage(
        _ envelope: Envelope, peer: String, peerKey: String? = nil, now: Duration
    ) {
        self.now = now
        let sender = envelope.sender
        guard mayProve(peerKey, as: sender) else {
            return log(.warning, "\(peer): speaks as \(sender) with another node's key")
        }
        if case .hello(let hello) = envelope.body {
            guard hello.nodeName == sender else {
                return log(.warning, "\(peer): \(sender) says hello as \(hello.nodeName)")
            }
            note(peerKey, of: sender)
            return receive(hello, holding: envelope.epoch)
        }
        guard membership.isHere(sender) else {
            return log(
                .debug, "dropped a \(envelope.body.kind) message of \(sender), who is not here")
        }
        carryOut(membership.onAlive(sender, now: now))
        receive(envelope, from: sender)
    }

    private mutating func receive(_ envelope: Envelope, from sender: String) {
        let isCurrent = envelope.standing(in: schedule.epoch) == .current
        switch envelope.body {
        case .loading(let loading):
            let share = Double(loading.doneBytes) / Double(max(1, loading.totalBytes))
            add(
                .report(
                    .loading(
                        node: sender, doneBytes: Int(clamping: loading.doneBytes),
                        totalBytes: Int(clamping: loading.totalBytes))))
            carryOut(membership.onLoading(sender, epoch: envelope.epoch, share: share, now: now))
        case .ready(let ready):
            nodes[sender, default: NodeRecord()].weightBytes = ready.loadedWeightBytes
            add(
                .report(
                    .loaded(
                        node: sender, weightBytes: Int(clamping: ready.loadedWeightBytes),
                        residentBytes: Int(clamping: ready.residentBytes))))
            if envelope.epoch == membership.epoch { failover.onLoaded(sender) }
            carryOut(membership.onReady(sender, epoch: envelope.epoch, now: now))
        case .alive(let alive):
            note(alive, of: sender)
            noteRoom(alive, of: sender, epoch: envelope.epoch)
            settleStatusWaits(answered: sender)
        case .traceAnswer(let answer): note(answer, of: sender)
        case .leave: letGo(sender)
        case .tokenReturn(let tokenReturn): receive(tokenReturn)
        case .captured(let captured) where isCurrent: receive(captured)
        case .fault(let fault) where envelope.epoch == membership.epoch:
            receive(fault, from: sender)
        case .captured, .fault: break
        default:
            log(
                .warning,
                "\(sender): a \(envelope.body.kind) message is not for the coordinator")
        }
    }

    private mutating func receive(_ hello: Hello, holding epoch: Epoch) {
        let name = hello.nodeName
        let report = NodeReport(
            name: name, version: hello.softwareVersion, wireVersion: hello.wireVersion,
            fingerprint: hello.fingerprint, incarnation: hello.processID, epoch: epoch)
        // A node that was started again is lost first, with its old link; then it comes again.
        carryOut(membership.onRestart(report))
        nodes[name, default: NodeRecord()].pendingHello = (hello, report)
        if let known = nodes[name], known.isLinked, known.address == hello.inboxAddress {
            return welcome(name)
        }
        add(
            .connect(
                node: name, address: hello.inboxAddress, publicKey: publicKey(of: name)))
    }

    /// The link to a node that has come is open.
    mutating func onConnected(_ name: String, now: Duration) {
        self.now = now
        guard let pending = nodes[name]?.pendingHello else { return }
        nodes[name]?.isLinked = true
        nodes[name]?.address = pending.hello.inboxAddress
        welcome(name)
    }

    /// No link to a node that has come could be opened; it says hello again.
    mutating func onConnectFailed(_ name: String, _ refusal: Refusal) {
        nodes[name]?.pendingHello = nil
        if membership.nodes[name] == nil { nodes[name] = nil }
        log(.warning, "node \(name): \(refusal)")
    }

    /// Lets a node in whose link is open, or tells it why not.
    private mutating func welcome(_ name: String) {
        guard let (hello, report) = nodes[name]?.pendingHello else { return }
        nodes[name]?.pendingHello = nil
        // A new process has a new clock.
        if nodes[name]?.hello?.processID != hello.processID { nodes[name]?.clock = PeerClock() }
        nodes[name]?.hello = hello
        noteRoom(hello, of: name, holding: report.epoch)
        carryOut(membership.onHello(report, now: now))
        if membership.nodes[name] == nil {
            // A stranger was told why, and costs nothing from now on.
            disconnect(name, drains: true)
            nodes[name] = nil
        }
        relieve()
    }

    private mutating func note(_ alive: Alive, of name: String) {
        if let trip = nodes[name, default: NodeRecord()].note(alive, now: now) {
            membership.onRoundTrip(name, trip)
        }
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
    mutating func onLinkBroken(to address: String, now: Duration) {
        self.now = now
        for name in nodes.keys.sorted() where nodes[name]?.address == address {
            carryOut(membership.onLinkBroken(name, now: now))
        }
        beat()
    }

    /// Nobody listens at an address to which a connection was open.
    mutating func onNotReached(_ address: String, now: Duration) {
        self.now = now
        for name in nodes.keys.sorted() where nodes[name]?.address == address {
            carryOut(membership.onNotReached(name))
        }
    }

    /// Gives every node a sign of life, which it answers with its vital signs.
    mutating func beat() {
        heartbeatCount += 1
        let alive = Alive(sequenceNumber: heartbeatCount, sentAtMicroseconds: now.wholeMicroseconds)
        for name in linkedNodes where membership.isHere(name) { tell(name, .alive(alive)) }
    }

    mutating func carryOut(_ directives: [MembershipDirective]) {
        for directive in directives { carryOut(directive) }
    }

    private mutating func carryOut(_ directive: MembershipDirective) {
        switch directive {
        case .welcome(let name):
            // A node says hello until it is placed, and is welcomed each time.
            if nodes[name]?.hasJoined == true { return }
            nodes[name]?.hasJoined = true
            failover.onArrival(name, now: now)
            add(.report(.joined(node: name)))
        case .refuse(let name, let refusal):
            log(.warning, "refused \(refusal)")
            nodes[name]?.refusal = refusal
            nodes[name]?.troubleAt = now
            tell(name, .refused(reason: refusal.description))
            if settings.endsWithItsNodes { end(refusal) }
        case .placed(let epoch, let placement):
            placedAt = now
            notePlacement(epoch)
            failover.onForming(epoch, now: now)
            for name in placement.nodes { place(placement, on: name, epoch: epoch) }
        case .allReady(let epoch): becomeReady(epoch)
        case .suspect(let name, let silence):
            let isBroken = membership.timeSinceBreak(of: name, now: now) != nil
            log(
                .warning,
                isBroken
                    ? "node \(name): its connection broke"
                    : "node \(name): has been silent for \(silence.secondsText)")
            // Nobody waits long for a probe that is stuck there.
            releaseLateProbe()
        case .recovered(let name): log(.info, "node \(name) speaks again")
        case .dead(let name, let refusal): lose(name, refusal, isDeath: true)
        case .left(let name):
            lose(name, Refusal("node \(name)", "has left"), isDeath: false)
        }
    }

    /// Tells the placement once more to those who have not said that they can run.
    ///
    /// It, or their answer, may have been lost. One that loads goes on; one that can run says so
    /// again.
    mutating func repeatPlacement() {
        guard now - placedAt >= settings.lossPatience else { return }
        placedAt = now
        for name in membership.pending {
            place(membership.placement, on: name, epoch: membership.epoch)
        }
    }

    /// Sends a node the placement that it is part of.
    private mutating func place(
        _ placement: SkeinMembership.Placement, on name: String, epoch: Epoch
    ) {
        let plan = newPlan(for: placement) ?? schedule.plan
        var stageSettings = settings.serving.stage
        stageSettings.speculates = speculation(under: placement) != .off
        let ring = placement.stages.map { stage in
            RingStage(
                index: stage.stage, nodeName: stage.node,
                address: nodes[stage.node]?.address ?? "",
                publicKey: publicKey(of: stage.node), slice: stage.slice)
        }
        let expertHosts = placement.expertHosts.map { host in
            ExpertHost(
                nodeName: host.node, address: nodes[host.node]?.address ?? "",
                publicKey: publicKey(of: host.node), shard: host.shard)
        }
        tell(
            name,
            .placement(
                SkeinWire.Placement(
                    epoch: epoch, nodeIndex: placement.nodes.firstIndex(of: name) ?? 0,
                    kind: placement.kind, ring: ring,
                    microBatchesInFlight: plan.microBatchesInFlightMax,
                    fingerprint: settings.fingerprint, expertHosts: expertHosts,
                    settings: stageSettings)),
            epoch: epoch)
    }

    private mutating func becomeReady(_ epoch: Epoch) {
        if endReason != nil { return }
        hasBeenReady = true
        if schedule.epoch < epoch {
            captureFlights = [:]
            ringProgress.onEpoch()
            carryOut(schedule.onEpoch(epoch, plan: newPlan(for: membership.placement)))
        }
        schedule.onSpeculation(speculation(under: membership.placement))
        readiness = .ready
        failover.onReady(now: now)
        for wait in readyWaits { add(.resume(wait)) }
        readyWaits = []
        add(.report(.ready))
        fillRing()
    }

    /// A node is gone: where it was placed others take its slices, or everything waits for its
    /// return, or ends.
    ///
    /// Raising the epoch now makes whatever the old ring still sends worthless; the new placement
    /// is announced once every node of it is here.
    private mutating func lose(_ name: String, _ refusal: Refusal, isDeath: Bool) {
        nodes[name]?.hasJoined = false
        add(.report(.lost(node: name, refusal)))
        if settings.endsWithItsNodes { return end(refusal) }
        disconnect(name, drains: false)
        nodes[name]?.alive = nil
        nodes[name]?.roundTrip = nil
        nodes[name]?.clock = PeerClock()
        nodes[name]?.troubleAt = now
        loseFromTrace(name)
        noteLoss(name, isDeath: isDeath)
        guard membership.placement.nodes.contains(name) else { return }
        if readiness == .ready { readiness = .forming }
        releaseProbeWaits()
        if !relieve() { carryOut(membership.onPlacement(membership.placement)) }
    }
}
