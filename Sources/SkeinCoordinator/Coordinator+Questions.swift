public import SkeinCore
public import SkeinJournal
internal import SkeinMembership
internal import SkeinScheduling
public import SkeinTelemetry

// What may be asked of a coordinator, and what it knows of its cluster.
extension Coordinator {
    /// Why the cluster has ended; `nil` while it lives.
    public var endReason: Refusal? { head.endReason }

    /// Whether requests are written down, so that a head after this one goes on with them.
    public var keepsRequests: Bool { head.keeping.standing == .written }

    /// Whether micro-batches can run now; a lost node has not come back where they cannot.
    public var isReady: Bool { head.readiness == .ready }

    /// Whether every stage was loaded at some time: from then on requests wait while a lost node is
    /// away, for it may come back within seconds.
    public var hasBeenReady: Bool { head.hasBeenReady }

    /// What the schedule holds and has done.
    public var scheduleCounts: ScheduleCounts { head.schedule.counts }

    /// What is known now.
    public func status() -> ClusterStatus { head.status(now: now) }

    /// A tenant's request by its name; requests of others are not seen.
    public func request(named name: String, of tenant: String) -> RememberedRequest? {
        head.keeping.memory.request(named: name, of: tenant)
    }

    /// A tenant's request by its idempotency key.
    public func request(withKey key: String, of tenant: String) -> RememberedRequest? {
        head.keeping.memory.request(withKey: key, of: tenant)
    }

    /// Requests that a head before this one has left in the middle, the oldest first.
    public var interrupted: [ClientRequest] { head.interrupted }

    /// Asks every node for its vital signs and waits for the answers, one second at most.
    public func freshStatus() async -> ClusterStatus {
        if let wait = head.askStatus(now: now) { await self.wait(wait) }
        return status()
    }

    /// Judges the cluster.
    ///
    /// - Parameters:
    ///   - isProbing: whether a token is to be pushed through every stage first; that takes
    ///     `HealthPatience.probeWait` at most.
    ///   - isDraining: whether the server was asked to end.
    public func health(probing isProbing: Bool, isDraining: Bool = false) async -> HealthReport {
        let sign = isProbing ? await probe() : .none
        return HealthReport(
            verdict: head.verdict(probe: sign, isDraining: isDraining, now: now), probe: sign)
    }

    /// Pushes a first token through every stage.
    ///
    /// So the links between nodes, which open with their first message, are open before a request
    /// comes. How it fares is for `health` to say.
    public func openRing() async { _ = await probe() }

    private func probe() async -> ProbeSign {
        switch head.startProbe(now: now) {
        case .known(let sign):
            carryOut()
            return sign
        case .wait(let wait, let sequence):
            await self.wait(wait)
            return head.sign(of: sequence, now: now)
        }
    }
}

// What every node's lanes do in a window of time.
extension Coordinator {
    /// Begins to collect what every node's lanes do; there is one trace at a time.
    ///
    /// - Throws: a `Refusal` where another trace is being taken, or the ring cannot run.
    public func beginTrace() async throws(Refusal) {
        if let wait = try head.beginTrace(now: now) { await self.wait(wait) }
        try head.openTraceWindow(now: now)
    }

    /// Ends the window and puts what was collected on the coordinator's clock.
    ///
    /// - Throws: a `Refusal` where no trace was begun, or the cluster has ended meanwhile.
    public func endTrace() async throws(Refusal) -> ClusterTrace {
        let end = now
        if let wait = try head.endTrace(now: end) { await self.wait(wait) }
        return try head.takeTrace(until: end, now: now)
    }

    /// Traces the cluster for a time.
    ///
    /// - Throws: a `Refusal`, or the cancellation of the caller.
    public func trace(for window: Duration) async throws -> ClusterTrace {
        try await beginTrace()
        do {
            try await Task.sleep(for: window)
        } catch {
            head.abandonTrace()
            throw error
        }
        return try await endTrace()
    }
}
