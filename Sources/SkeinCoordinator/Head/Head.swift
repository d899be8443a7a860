internal import Logging
internal import SkeinCore
internal import SkeinJournal
internal import SkeinMembership
internal import SkeinScheduling
internal import SkeinWire

/// Decides everything that the process at the head of a cluster decides; a value that knows no
/// clock, socket, stream or task.
///
/// ```
///              submit, stop, cancel, health, trace, shutdown
///                                  │
///  onMessage ─► MembershipView ─► Head ◄─ PipelineSchedule
///  onTick           who belongs    │        what runs
///                                  ▼
///                      HeadDirective, in order
/// ```
///
/// Events come with the time since the start and leave directives behind, which the shell
/// (``Coordinator``) takes after each event and carries out without a pause in between. A simulator
/// does the same on a clock and a network of its own.
struct Head: Sendable {
    var settings: CoordinatorSettings
    /// Where the coordinator listens for nodes.
    let address: String
    var membership: MembershipView
    var schedule: PipelineSchedule
    var nodes: [String: NodeRecord] = [:]
    /// Nodes that go once the ring is empty, and since when they wait for that.
    var leaving: [String: Duration] = [:]
    var live: [SequenceID: LiveRequest] = [:]
    var keeping: RequestKeeping
    /// Whether a head before this one had placed nodes, and those that are missing are expected.
    var followsAnother: Bool
    var captureFlights: [MicroBatchID: [SequenceSpan]] = [:]
    var nextSequenceNumber: UInt64 = 1
    var ringProgress = RingProgress()
    var probe = ProbeState()
    var heartbeatCount: UInt64 = 0
    /// When the placement was last told to nodes that cannot run yet.
    var placedAt = Duration.zero
    var failover: FailoverState
    var readiness = Readiness.forming
    var readyWaits: [WaitID] = []
    var statusWaits: [StatusWait] = []
    /// Callers who wait until the disk has a record.
    var writtenWaits: [(id: WaitID, after: UInt64)] = []
    var collection: TraceCollection?
    var traceWait: (id: WaitID, since: Duration)?
    /// What the return at hand left to be worked out.
    var constraintQuestions: [ConstraintDesk.Question] = []
    /// The time of the event at hand.
    var now = Duration.zero

    private var nextWaitNumber: UInt64 = 0
    private var directives: [HeadDirective] = []

    /// Whether every stage was loaded at some time: from then on requests wait while a lost node is
    /// away, for it may come back within seconds.
    var hasBeenReady = false

    /// Whether the ring can run micro-batches.
    enum Readiness: Equatable {
        /// Nodes are joining or loading.
        case forming
        /// Every stage is loaded.
        case ready
        /// The cluster has ended, for this reason.
        case ended(Refusal)
    }

    /// Waits for the nodes of a cluster.
    ///
    /// - Parameter keeping: what is known of requests, and whether it is written down.
    init(
        settings: CoordinatorSettings, address: String,
        keeping: RequestKeeping = RequestKeeping(.nowhere)
    ) {
        self.settings = settings
        self.address = address
        self.keeping = keeping
        let known = keeping.memory.epoch
        followsAnother = known != .none
        let epoch = known == .none ? known.next : known.afterUnknown
        membership = MembershipView(
            placement: settings.placement, standbys: settings.standbys,
            reference: settings.reference, patience: settings.patience, epoch: epoch)
        failover = FailoverState(settings)
        schedule = PipelineSchedule(plan: settings.schedulePlan, epoch: epoch)
        nextSequenceNumber = keeping.memory.newestSequence.rawValue + 1
    }

    /// Why the cluster has ended; `nil` while it lives.
    var endReason: Refusal? { if case .ended(let refusal) = readiness { refusal } else { nil } }

    /// What is to be done since this was last asked, in order.
    mutating func takeDirectives() -> [HeadDirective] {
        defer { directives = [] }
        return directives
    }

    // MARK: Time and ends

    /// Looks at everyone's silence, lets callers go who have waited long enough, and gives every
    /// node a sign of life.
    mutating func onTick(now: Duration) {
        self.now = now
        carryOut(membership.onTick(now: now))
        settleLeaves()
        settleFailover()
        recoverLostMicroBatch()
        repeatPlacement()
        settleStatusWaits()
        releaseLateProbe()
        beat()
        releaseLateTrace()
        continueTrace()
        tidyJournal()
    }

    /// Tells every node that the cluster ends, and ends.
    mutating func shutdown(now: Duration) {
        self.now = now
        let names = linkedNodes
        for name in names { tell(name, .shutdown) }
        end(Refusal("cluster \(settings.clusterName)", "was shut down"))
        for name in names { disconnect(name, drains: true) }
    }

    /// Ends the cluster for a reason that the wire cannot tell, such as the end of a process.
    ///
    /// - Parameter name: a node whose process has ended: nobody waits for its link any more.
    mutating func fail(_ refusal: Refusal, withoutNode name: String? = nil, now: Duration) {
        self.now = now
        end(refusal)
        if let name { disconnect(name, drains: false) }
    }

    /// Ends every request and every wait with a reason.
    mutating func end(_ refusal: Refusal) {
        if endReason != nil { return }
        readiness = .ended(refusal)
        // They are not written down as ended: the next head goes on with them.
        for id in live.keys.sorted() { show(.close(id, refusal)) }
        live = [:]
        let waits = readyWaits + statusWaits.map(\.id) + writtenWaits.map(\.id)
        for wait in waits { add(.resume(wait)) }
        readyWaits = []
        statusWaits = []
        writtenWaits = []
        releaseTraceWait()
        settleProbe(.failed(refusal))
    }

    // MARK: Waits

    /// Lets a caller wait until the cluster is ready or has ended.
    ///
    /// - Returns: `nil` where there is nothing to wait for.
    mutating func awaitReady() -> WaitID? {
        guard readiness == .forming else { return nil }
        let wait = newWait()
        readyWaits.append(wait)
        return wait
    }

    /// A number for a caller who begins to wait.
    mutating func newWait() -> WaitID {
        nextWaitNumber += 1
        return WaitID(rawValue: nextWaitNumber)
    }

    // MARK: Directives

    mutating func add(_ directive: HeadDirective) { directives.append(directive) }

    mutating func log(_ level: Logger.Level, _ line: String, _ fields: Logger.Metadata = [:]) {
        add(.log(level, line, fields))
    }

    /// Nodes to which a link is open, by name.
    var linkedNodes: [String] { nodes.filter(\.value.isLinked).keys.sorted() }

    /// Queues a message for a node; one without a link is told nothing, and a new epoch makes good
    /// what it missed.
    mutating func tell(
        _ name: String, _ body: Envelope.Body, epoch: Epoch? = nil, target: StageIndex? = nil
    ) {
        guard nodes[name]?.isLinked == true else { return }
        add(
            .tell(
                name,
                Envelope(
                    epoch: epoch ?? membership.epoch, sender: CoordinatorSettings.ownName,
                    target: target, body: body)))
    }

    mutating func disconnect(_ name: String, drains: Bool) {
        guard nodes[name]?.isLinked == true else { return }
        nodes[name]?.isLinked = false
        nodes[name]?.address = nil
        add(.disconnect(name, drains: drains))
    }
}
