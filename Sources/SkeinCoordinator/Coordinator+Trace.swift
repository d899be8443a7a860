public import SkeinCore
internal import SkeinMembership
internal import SkeinScheduling
public import SkeinTelemetry
internal import SkeinWire

/// Somebody who waits until every node has said what it did.
struct TraceWait {
    let since: Duration
    let continuation: CheckedContinuation<Void, Never>
}

// What every lane of the cluster does, over a window of time.
extension Coordinator {
    /// Begins to collect what every node's lanes do; there is one trace at a time.
    ///
    /// - Throws: a `Refusal` where another trace is being taken, or the ring cannot run.
    public func beginTrace() async throws(Refusal) {
        guard collection == nil else {
            throw Refusal("trace", "another one is being taken; there is one at a time")
        }
        guard case .ready = readiness else {
            throw Refusal("trace", "the cluster is not ready; /health tells what it waits for")
        }
        let names = membership.placement.nodes.filter { membership.isHere($0) }
        collection = TraceCollection(of: names, since: now)
        for id in sentAt.keys.sorted() { traceContent(of: id) }
        await settleTrace()
        collection?.since = now
        if let reason = endReason {
            collection = nil
            throw reason
        }
    }

    /// Ends the window and puts what was collected on the coordinator's clock.
    ///
    /// - Throws: a `Refusal` where no trace was begun, or the cluster has ended meanwhile.
    public func endTrace() async throws(Refusal) -> ClusterTrace {
        guard collection != nil, traceWait == nil else {
            throw Refusal("trace", "none is being taken")
        }
        if let reason = endReason {
            collection = nil
            throw reason
        }
        let end = now
        collection?.onEnding()
        // The clocks are compared once more: the newest sample has drifted least.
        beat()
        await settleTrace()
        guard let ended = collection else { throw Refusal("trace", "none is being taken") }
        collection = nil
        if let reason = endReason { throw reason }
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

    /// Traces the cluster for a time.
    ///
    /// - Throws: a `Refusal`, or the cancellation of the caller.
    public func trace(for window: Duration) async throws -> ClusterTrace {
        try await beginTrace()
        do {
            try await Task.sleep(for: window)
        } catch {
            collection = nil
            throw error
        }
        return try await endTrace()
    }

    /// Asks every node for what it did since it was last asked.
    func continueTrace() {
        guard let requests = collection?.ask() else { return }
        for (name, request) in requests {
            tell(name, .traceRequest(request), epoch: schedule.epoch)
        }
    }

    /// A node has said what it did.
    func note(_ answer: TraceAnswer, of name: String) {
        collection?.onAnswer(answer, of: name)
        if collection?.isSettled == true { releaseTraceWait() }
    }

    /// Notes what the coordinator did at its end of the ring.
    func trace(_ kind: IntervalKind, of microBatch: MicroBatchID) {
        guard collection != nil else { return }
        let moment = Int64(clamping: now.wholeMicroseconds)
        collection?.onOwn(
            TracedInterval(
                lane: .coordinator, kind: kind, microBatch: microBatch, startMicroseconds: moment,
                endMicroseconds: moment))
    }

    /// Notes what a micro-batch in the ring carries, and for whom.
    func traceContent(of id: MicroBatchID) {
        guard collection != nil, let microBatch = schedule.microBatch(inFlight: id) else { return }
        let names = microBatch.spans.prefix(Limits.loggedRequestsMax).compactMap {
            live[$0.sequence]?.request.printableLabel
        }
        collection?.onMicroBatch(id, rowCount: microBatch.rowCount, of: names)
    }

    /// A node is gone; nobody waits for its answer.
    func loseFromTrace(_ name: String) {
        collection?.onLost(name)
        if collection?.isSettled == true { releaseTraceWait() }
    }

    /// Lets those that wait for answers go on without those that have not come for a second.
    func releaseLateTrace() {
        guard let wait = traceWait, now - wait.since >= .seconds(1) else { return }
        releaseTraceWait()
    }

    /// Lets those that wait for answers go on.
    func releaseTraceWait() {
        traceWait?.continuation.resume()
        traceWait = nil
    }

    /// Asks every node, and waits for the answers.
    private func settleTrace() async {
        continueTrace()
        if collection?.isSettled == true { return }
        await withCheckedContinuation { continuation in
            traceWait = TraceWait(since: now, continuation: continuation)
        }
    }
}
