internal import SkeinCore
internal import SkeinMembership
internal import SkeinScheduling
internal import SkeinWire

/// The probe that is on its way, and what became of the last one.
struct ProbeState: Sendable {
    /// A probe in the ring or on its way there.
    struct Flight: Sendable {
        let sequence: SequenceID
        let since: Duration
        var waits: [WaitID] = []
    }

    /// What a caller who asks for a probe is told at once.
    enum Start: Sendable {
        /// This became of it.
        case known(ProbeSign)
        /// It is on its way: wait, then ask ``Head/sign(of:now:)``.
        case wait(WaitID, SequenceID)
    }

    var flight: Flight?
    var last: (sign: ProbeSign, at: Duration)?
    /// Why a stage could not run the micro-batch that the probe was part of.
    var fault: Refusal?
}

// The probe: one token through every stage by the ordinary schedule, so that "healthy" means that
// tokens flow and not that processes exist.
extension Head {
    /// Pushes a token through every stage.
    ///
    /// There is one probe at a time: who asks while it is on its way waits for that one, and who
    /// asks just after it is given its result.
    mutating func startProbe(now: Duration) -> ProbeState.Start {
        self.now = now
        guard readiness == .ready else { return .known(.none) }
        if let last = probe.last, now - last.at < settings.healthPatience.probeReuse {
            return .known(last.sign)
        }
        if probe.flight == nil { sendProbe() }
        guard let flight = probe.flight else { return .known(probe.last?.sign ?? .none) }
        guard now - flight.since < probeWait else { return .known(.late(now - flight.since)) }
        let wait = newWait()
        probe.flight?.waits.append(wait)
        return .wait(wait, flight.sequence)
    }

    /// What has become of a probe for which a caller has waited.
    func sign(of sequence: SequenceID, now: Duration) -> ProbeSign {
        if let flight = probe.flight, flight.sequence == sequence {
            return .late(now - flight.since)
        }
        return probe.last?.sign ?? .none
    }

    private mutating func sendProbe() {
        let id = newSequence()
        probe.fault = nil
        probe.flight = ProbeState.Flight(sequence: id, since: now)
        // A tenant of its own, so that no client's pages are looked at or kept.
        let request = SequenceRequest(
            id: id, promptTokens: [0], stopRule: StopRule(completionTokensMax: 1),
            tenant: CoordinatorSettings.ownName, isProbe: true)
        carryOut(schedule.onArrival(request))
        fillRing()
    }

    /// The probe's sequence has ended.
    mutating func endProbe(_ sequence: SequenceID, _ reason: FinishReason) {
        guard let flight = probe.flight, flight.sequence == sequence else { return }
        settleProbe(
            reason == .cancelled
                ? .failed(probe.fault ?? Refusal("the ring", "gave the probe up"))
                : .answered(now - flight.since))
    }

    /// Tells everyone who waits for the probe what became of it.
    mutating func settleProbe(_ sign: ProbeSign) {
        guard probe.flight != nil else { return }
        releaseProbeWaits()
        probe.flight = nil
        probe.last = (sign, now)
    }

    /// Lets those go who have waited long enough; the probe stays on its way.
    mutating func releaseLateProbe() {
        guard let flight = probe.flight, now - flight.since >= probeWait else { return }
        releaseProbeWaits()
    }

    /// How long a caller waits; not long where it is known already that something is wrong.
    private var probeWait: Duration {
        let patience = settings.healthPatience
        let standsStill =
            (ringProgress.standstill(now: now) ?? .zero) >= patience.standstillAfter
        let isSuspicious =
            standsStill
            || membership.placement.nodes.contains { membership.nodes[$0]?.state == .suspect }
        return isSuspicious ? min(patience.probeReuse, patience.probeWait) : patience.probeWait
    }

    /// Lets everyone go who waits for the probe, which stays on its way.
    mutating func releaseProbeWaits() {
        for wait in probe.flight?.waits ?? [] { add(.resume(wait)) }
        probe.flight?.waits = []
    }

    /// Judges the cluster by a probe and what else is known.
    func verdict(probe sign: ProbeSign, isDraining: Bool, now: Duration) -> HealthVerdict {
        var signals = healthSignals(now: now)
        signals.probe = sign
        signals.isDraining = isDraining
        return HealthVerdict(signals, patience: settings.healthPatience)
    }

    /// What the verdict is made from, but for the probe.
    private func healthSignals(now: Duration) -> HealthSignals {
        var signals = HealthSignals()
        signals.ending = endReason
        signals.isReady = readiness == .ready
        signals.version = settings.softwareVersion
        signals.fingerprint = settings.fingerprint
        signals.nodes = knownNodes.map { name in
            let known = membership.nodes[name]
            var node = HealthSignals.Node(name: name, state: known?.state ?? .waiting)
            node.isStandby = known?.isPlaced == false
            node.silence = membership.silence(of: name, now: now)
            node.brokenFor = membership.timeSinceBreak(of: name, now: now)
            node.version = known?.report?.version
            node.fingerprint = known?.report?.fingerprint
            node.loadedShare = known?.loadedShare ?? 0
            node.trouble = known?.lastError ?? nodes[name]?.refusal
            if let alive = nodes[name]?.alive, alive.memoryAvailableBytes > 0 {
                node.memoryAvailableBytes = Int(clamping: alive.memoryAvailableBytes)
            }
            return node
        }
        if case .failed(let refusal) = keeping.standing { signals.journalTrouble = refusal }
        signals.standstill = ringProgress.standstill(now: now)
        signals.whereabouts = ringProgress.whereabouts
        signals.waitingCount = schedule.waitingCount
        signals.waitingMax = schedule.plan.waitingSequencesMax
        return signals
    }
}
