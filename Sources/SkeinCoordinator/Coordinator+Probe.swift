internal import SkeinCore
public import SkeinMembership
internal import SkeinScheduling
internal import SkeinWire

/// Whether a cluster serves, and how that was found.
public struct HealthReport: Sendable {
    /// The verdict and its reasons.
    public let verdict: HealthVerdict
    /// What became of the probe, where one was asked for.
    public let probe: ProbeSign

    /// Joins a verdict with the probe that it rests on.
    public init(verdict: HealthVerdict, probe: ProbeSign) {
        self.verdict = verdict
        self.probe = probe
    }
}

/// The probe that is on its way, and what became of the last one.
struct ProbeState {
    /// A probe in the ring or on its way there.
    struct Flight {
        let sequence: SequenceID
        let since: Duration
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    var flight: Flight?
    var last: (sign: ProbeSign, at: Duration)?
    /// Why a stage could not run the micro-batch that the probe was part of.
    var fault: Refusal?
}

// The probe: one token through every stage by the ordinary schedule, so that "healthy" means that
// tokens flow and not that processes exist.
extension Coordinator {
    /// Judges the cluster.
    ///
    /// - Parameters:
    ///   - isProbing: whether a token is to be pushed through every stage first; that takes
    ///     `HealthPatience.probeWait` at most.
    ///   - isDraining: whether the server was asked to end.
    public func health(probing isProbing: Bool, isDraining: Bool = false) async -> HealthReport {
        let probe = isProbing ? await probe() : .none
        var signs = healthSigns()
        signs.probe = probe
        signs.isDraining = isDraining
        return HealthReport(
            verdict: HealthVerdict(signs, patience: settings.healthPatience), probe: probe)
    }

    /// Pushes a first token through every stage.
    ///
    /// So the links between nodes, which open with their first message, are open before a request
    /// comes. How it fares is for `health` to say.
    public func openRing() async { _ = await probe() }

    /// Pushes a token through every stage and waits for it.
    ///
    /// There is one probe at a time: who asks while it is on its way waits for that one, and who
    /// asks just after it is given its result.
    func probe() async -> ProbeSign {
        guard case .ready = readiness else { return .none }
        if let last = probes.last, now - last.at < settings.healthPatience.probeReuse {
            return last.sign
        }
        if probes.flight == nil { await sendProbe() }
        guard let flight = probes.flight else { return probes.last?.sign ?? .none }
        if now - flight.since < probeWait {
            await withCheckedContinuation { continuation in
                // Whatever happens between the two looks happens on this actor, so not at all.
                probes.flight?.waiting.append(continuation)
            }
        }
        if probes.flight?.sequence == flight.sequence { return .late(now - flight.since) }
        return probes.last?.sign ?? .none
    }

    private func sendProbe() async {
        let id = SequenceID(rawValue: nextSequenceNumber)
        nextSequenceNumber += 1
        probes.fault = nil
        probes.flight = ProbeState.Flight(sequence: id, since: now)
        // A tenant of its own, so that no client's pages are looked at or kept.
        let request = SequenceRequest(
            id: id, promptTokens: [0], stopRule: StopRule(completionTokensMax: 1),
            tenant: CoordinatorSettings.ownName, isProbe: true)
        for directive in schedule.onArrival(request) { await carryOut(directive) }
        await pump()
    }

    /// The probe's sequence has ended.
    func endProbe(_ sequence: SequenceID, _ reason: FinishReason) {
        guard let flight = probes.flight, flight.sequence == sequence else { return }
        let sign: ProbeSign =
            reason == .cancelled
            ? .failed(probes.fault ?? Refusal("the ring", "gave the probe up"))
            : .answered(now - flight.since)
        settleProbe(sign)
    }

    /// Tells everyone who waits for the probe what became of it.
    func settleProbe(_ sign: ProbeSign) {
        guard let flight = probes.flight else { return }
        probes.flight = nil
        probes.last = (sign, now)
        for continuation in flight.waiting { continuation.resume() }
    }

    /// Lets those go who have waited long enough; the probe stays on its way.
    func releaseLateProbe() {
        guard let flight = probes.flight, now - flight.since >= probeWait else { return }
        releaseProbeWaits()
    }

    /// How long a caller waits; not long where it is known already that something is wrong.
    private var probeWait: Duration {
        let patience = settings.healthPatience
        let isSuspicious = membership.placement.nodes.contains {
            membership.nodes[$0]?.state == .suspect
        }
        return isSuspicious ? min(patience.probeReuse, patience.probeWait) : patience.probeWait
    }

    /// Lets everyone go who waits for the probe, which stays on its way.
    func releaseProbeWaits() {
        let waiting = probes.flight?.waiting ?? []
        probes.flight?.waiting = []
        for continuation in waiting { continuation.resume() }
    }

    /// What the verdict is made from, but for the probe.
    private func healthSigns() -> HealthSignals {
        var signs = HealthSignals()
        signs.ending = endReason
        signs.isReady = if case .ready = readiness { true } else { false }
        signs.version = settings.softwareVersion
        signs.fingerprint = settings.fingerprint
        signs.nodes = knownNodes.map { name in
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
        signs.standstill = ringProgress.standstill(now: now)
        signs.whereabouts = ringProgress.whereabouts
        signs.waitingCount = schedule.waitingCount
        signs.waitingMax = schedule.plan.waitingSequencesMax
        return signs
    }
}
