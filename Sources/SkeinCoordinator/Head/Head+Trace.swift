internal import SkeinCore
internal import SkeinMembership
internal import SkeinScheduling
internal import SkeinTelemetry
internal import SkeinWire

// What every lane of the cluster does, over a window of time.
extension Head {
    /// Begins to collect what every node's lanes do; there is one trace at a time.
    ///
    /// - Returns: what to wait for before ``openTraceWindow(now:)``; `nil` for nothing.
    /// - Throws: a `Refusal` where another trace is being taken, or the ring cannot run.
    mutating func beginTrace(now: Duration) throws(Refusal) -> WaitID? {
        self.now = now
        guard collection == nil else {
            throw Refusal("trace", "another one is being taken; there is one at a time")
        }
        guard readiness == .ready else {
            throw Refusal("trace", "the cluster is not ready; /health tells what it waits for")
        }
        let names = membership.placement.nodes.filter { membership.isHere($0) }
        collection = TraceCollection(of: names, since: now)
        for id in ringProgress.inFlight { traceContent(of: id) }
        return settleTrace()
    }

    /// Every node has answered, or will not: the window begins.
    mutating func openTraceWindow(now: Duration) throws(Refusal) {
        self.now = now
        collection?.since = now
        guard let endReason else { return }
        collection = nil
        throw endReason
    }

    /// Gives a trace up.
    mutating func abandonTrace() { collection = nil }

    /// Asks every node for the rest.
    ///
    /// - Returns: what to wait for before ``takeTrace(until:now:)``; `nil` for nothing.
    /// - Throws: a `Refusal` where no trace was begun, or the cluster has ended meanwhile.
    mutating func endTrace(now: Duration) throws(Refusal) -> WaitID? {
        self.now = now
        guard collection != nil, traceWait == nil else {
            throw Refusal("trace", "none is being taken")
        }
        if let endReason {
            collection = nil
            throw endReason
        }
        collection?.onEnding()
        // The clocks are compared once more: the newest sample has drifted least.
        beat()
        return settleTrace()
    }

    /// Puts what was collected on the coordinator's clock.
    mutating func takeTrace(until end: Duration, now: Duration) throws(Refusal) -> ClusterTrace {
        self.now = now
        guard let ended = collection else { throw Refusal("trace", "none is being taken") }
        collection = nil
        if let endReason { throw endReason }
        let owners = schedule.plan.computeOwners
        let placement = membership.placement
        return ended.trace(
            nodes: placement.nodes,
            stages: placement.stages.enumerated().map { place, stage in
                ClusterTrace.Stage(
                    index: stage.stage,
                    node: 1 + (placement.nodes.firstIndex(of: stage.node) ?? 0),
                    owner: place < owners.count ? owners[place] : place)
            },
            clocks: nodes.compactMapValues { $0.clock.lead(at: now) }, until: end)
    }

    /// Asks every node for what it did since it was last asked.
    mutating func continueTrace() {
        guard let requests = collection?.ask() else { return }
        for (name, request) in requests {
            tell(name, .traceRequest(request), epoch: schedule.epoch)
        }
    }

    /// A node has said what it did.
    mutating func note(_ answer: TraceAnswer, of name: String) {
        collection?.onAnswer(answer, of: name)
        if collection?.isSettled == true { releaseTraceWait() }
    }

    /// Notes what the coordinator did at its end of the ring.
    mutating func trace(_ kind: IntervalKind, of microBatch: MicroBatchID) {
        let moment = Int64(clamping: now.wholeMicroseconds)
        collection?.onOwn(
            TracedInterval(
                lane: .coordinator, kind: kind, microBatch: microBatch, startMicroseconds: moment,
                endMicroseconds: moment))
    }

    /// Notes what a micro-batch in the ring carries, and for whom.
    mutating func traceContent(of id: MicroBatchID) {
        guard collection != nil, let microBatch = schedule.microBatch(inFlight: id) else { return }
        let labels = labels(of: microBatch.spans)
        collection?.onMicroBatch(id, rowCount: microBatch.rowCount, of: labels)
    }

    /// A node is gone; nobody waits for its answer.
    mutating func loseFromTrace(_ name: String) {
        collection?.onLost(name)
        if collection?.isSettled == true { releaseTraceWait() }
    }

    /// Lets those that wait for answers go on without those that have not come for a second.
    mutating func releaseLateTrace() {
        guard let wait = traceWait, now - wait.since >= .seconds(1) else { return }
        releaseTraceWait()
    }

    /// Lets those that wait for answers go on.
    mutating func releaseTraceWait() {
        if let wait = traceWait { add(.resume(wait.id)) }
        traceWait = nil
    }

    /// Asks every node; there is something to wait for unless all have answered.
    private mutating func settleTrace() -> WaitID? {
        continueTrace()
        if collection?.isSettled == true { return nil }
        let wait = newWait()
        traceWait = (wait, now)
        return wait
    }
}
