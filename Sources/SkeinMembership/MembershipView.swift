public import SkeinCore

/// What a node says of itself when it comes.
public struct NodeReport: Equatable, Sendable {
    /// The node's name in the cluster file.
    public var name: String

    /// Version of the program.
    public var version: String

    /// Version of the wire.
    public var wireVersion: UInt32

    /// Fingerprint of its copy of the checkpoint.
    public var fingerprint: String

    /// A number drawn when its process started, by which a restarted node is told from a late one.
    public var incarnation: UInt64

    /// The placement under which it holds slices; `none` where it holds none.
    ///
    /// A coordinator that was started again learns from it how far its predecessor had counted.
    public var epoch: Epoch

    /// Describes a node.
    public init(
        name: String, version: String, wireVersion: UInt32, fingerprint: String,
        incarnation: UInt64, epoch: Epoch = .none
    ) {
        self.name = name
        self.version = version
        self.wireVersion = wireVersion
        self.fingerprint = fingerprint
        self.incarnation = incarnation
        self.epoch = epoch
    }
}

/// Where a node stands.
public enum NodeState: String, Equatable, Sendable, CaseIterable {
    /// It has not come yet.
    case waiting
    /// It is welcome and has no slice, or was told its slices and has not begun.
    case placed
    /// It maps its weights.
    case loading
    /// It holds its slices and can run.
    case ready
    /// It is late with its signs of life; nothing is done about it yet.
    case suspect
    /// It is taken for gone.
    case dead
    /// It said goodbye.
    case left
}

/// What the view tells the coordinator to do, in order.
public enum MembershipDirective: Equatable, Sendable {
    /// Tell the node that it belongs.
    case welcome(String)

    /// Tell the peer why it does not belong, and close its link.
    case refuse(String, Refusal)

    /// Tell every node of the placement its slices under this epoch.
    case placed(Epoch, Placement)

    /// Every node of the placement can run.
    case allReady(Epoch)

    /// The node is late.
    case suspect(String, silence: Duration)

    /// A suspect gave a sign of life.
    case recovered(String)

    /// The node is gone; where it was placed, the ring is broken.
    case dead(String, Refusal)

    /// The node left of its own will; where it was placed, the ring is broken.
    case left(String)
}

/// Decides who belongs, who is alive and when the ring can run; a value that knows no clock.
///
///     waiting ─hello─► placed ─► loading ─► ready ◄─► suspect ─► dead
///                        ▲ new placement       │ hello again ◄────┘
///                        └─────────────────────┘
///
/// Times are durations since the start. The placement is given; when a node dies the coordinator
/// makes another and calls ``onPlacement(_:)``, which raises the epoch.
public struct MembershipView: Sendable {
    /// What is known of one node.
    public struct Node: Sendable {
        /// Where it stands.
        public internal(set) var state = NodeState.waiting
        /// What it said of itself.
        public internal(set) var report: NodeReport?
        /// Share of its weights that are mapped and read, 0 to 1.
        public internal(set) var loadedShare = 0.0
        /// The last reason for which it was lost.
        public internal(set) var lastError: Refusal?
        var detector: FailureDetector?
        /// When the connection to it broke, where it has given no sign of life since.
        var brokenAt: Duration?
        /// How often nobody listened there since.
        var failedReachCount = 0
        /// Where it stood before it became suspect.
        var stateBefore = NodeState.placed
        /// Whether it is part of the placement.
        public internal(set) var isPlaced = false
    }

    /// Who holds what.
    public private(set) var placement: Placement

    /// The number of the placement.
    public private(set) var epoch: Epoch

    /// All nodes that may come: those placed, and the standbys.
    public internal(set) var nodes: [String: Node]

    /// Whether every node of the placement can run.
    public private(set) var isReady = false

    private let reference: NodeReport
    let patience: FailureDetector.Patience
    private var wasAnnounced = false
    /// The newest placement that a node has told of.
    private var newestHeard = Epoch.none
    /// The newest placement that was told from here.
    private var newestTold = Epoch.none
    var lastTick: Duration?

    /// Waits for the nodes of a placement, and lets standbys join.
    ///
    /// - Parameter reference: The head's own report; a node's fingerprint must equal its own, the
    ///   wire version may be a step apart, and the program may be of another version.
    public init(
        placement: Placement, standbys: [String] = [], reference: NodeReport,
        patience: FailureDetector.Patience = FailureDetector.Patience(),
        epoch: Epoch = Epoch.none.next
    ) {
        self.placement = placement
        self.reference = reference
        self.patience = patience
        self.epoch = epoch
        nodes = [:]
        for name in standbys { nodes[name] = Node() }
        for name in placement.nodes { nodes[name, default: Node()].isPlaced = true }
    }

    /// Welcomes a node or refuses it, with one line that names the peer and both values.
    public mutating func onHello(
        _ report: NodeReport, now: Duration
    ) -> [MembershipDirective] {
        if let refusal = refusal(of: report) { return [.refuse(report.name, refusal)] }
        newestHeard = max(newestHeard, report.epoch)
        let before = nodes[report.name]
        var directives = onRestart(report)
        if isHere(report.name) {
            // The same process says hello again: its first welcome was lost.
            nodes[report.name]?.detector?.onSign(now: now)
            directives.append(.welcome(report.name))
            if wasAnnounced, before?.isPlaced == true {
                directives.append(.placed(epoch, placement))
            }
            return directives
        }
        nodes[report.name]?.state = .placed
        nodes[report.name]?.report = report
        nodes[report.name]?.loadedShare = 0
        nodes[report.name]?.detector = FailureDetector(patience: patience, now: now)
        directives.append(.welcome(report.name))
        if before?.isPlaced == true { announce(into: &directives) }
        return directives
    }

    /// Notes that a node which is here is another process now, before it is welcomed again.
    ///
    /// ``onHello(_:now:)`` does so itself; a coordinator that keeps a link to the old process calls
    /// this first, to close the link before it opens another.
    public mutating func onRestart(_ report: NodeReport) -> [MembershipDirective] {
        guard isHere(report.name), refusal(of: report) == nil,
            let before = nodes[report.name]?.report, before.incarnation != report.incarnation
        else { return [] }
        return onLost(
            report.name, Refusal("node \(report.name)", "was started again and has lost its cache"))
    }

    /// Notes how far a node has loaded; a report that was overtaken by the node's own readiness
    /// changes nothing.
    public mutating func onLoading(
        _ name: String, epoch: Epoch, share: Double, now: Duration
    ) -> [MembershipDirective] {
        var directives = onAlive(name, now: now)
        guard epoch == self.epoch, isHere(name), !canRun(name) else { return directives }
        nodes[name]?.loadedShare = share.isFinite ? min(max(share, 0), 1) : 0
        move(name, to: .loading, into: &directives)
        return directives
    }

    /// Notes that a node can run; reports of an older epoch count as a sign of life only.
    public mutating func onReady(
        _ name: String, epoch: Epoch, now: Duration
    ) -> [MembershipDirective] {
        var directives = onAlive(name, now: now)
        guard epoch == self.epoch, isHere(name) else { return directives }
        nodes[name]?.loadedShare = 1
        move(name, to: .ready, into: &directives)
        return directives
    }

    /// Notes that a node says goodbye.
    public mutating func onLeave(_ name: String) -> [MembershipDirective] {
        guard isHere(name) else { return [] }
        lose(name, to: .left, nil)
        return [.left(name)]
    }

    /// Notes that the link to a node is broken for good, or that a return is overdue beyond doubt.
    public mutating func onLost(_ name: String, _ reason: Refusal) -> [MembershipDirective] {
        guard isHere(name) else { return [] }
        lose(name, to: .dead, reason)
        return [.dead(name, reason)]
    }

    /// Notes that a node of the placement which has not come is not to be expected any more.
    public mutating func onAbsent(_ name: String, _ reason: Refusal) -> [MembershipDirective] {
        guard nodes[name]?.state == .waiting, nodes[name]?.isPlaced == true else { return [] }
        lose(name, to: .dead, reason)
        return [.dead(name, reason)]
    }

    /// Takes up another placement under the next epoch; everyone in it loads and reports again.
    ///
    /// - Precondition: Its nodes are known: placed before, or standbys.
    public mutating func onPlacement(_ placement: Placement) -> [MembershipDirective] {
        for name in placement.nodes {
            precondition(nodes[name] != nil, "unknown node \(name)")
        }
        self.placement = placement
        epoch = nextEpoch
        isReady = false
        wasAnnounced = false
        let placed = Set(placement.nodes)
        for name in nodes.keys {
            nodes[name]?.isPlaced = placed.contains(name)
            if isHere(name) { expectAgain(name) }
        }
        var directives: [MembershipDirective] = []
        announce(into: &directives)
        return directives
    }

    /// Whether the node has come and is not lost.
    public func isHere(_ name: String) -> Bool {
        guard let state = nodes[name]?.state else { return false }
        return state != .waiting && state != .dead && state != .left
    }

    /// Nodes that are here and hold no slice.
    public var standbys: [String] { unplaced.filter(isHere) }

    /// Nodes that hold no slice, here or not.
    public var unplaced: [String] { nodes.filter { !$0.value.isPlaced }.map(\.key).sorted() }

    /// Nodes that were told their slices under this epoch and have not said that they can run.
    public var pending: [String] {
        wasAnnounced ? placement.nodes.filter { isHere($0) && !canRun($0) } : []
    }

    /// Nodes of the placement that are not here.
    public var missing: [String] { placement.nodes.filter { !isHere($0) } }

    /// Nodes of the placement that were here and are gone.
    public var lost: [String] {
        missing.filter { nodes[$0]?.state == .dead || nodes[$0]?.state == .left }
    }
}

extension MembershipView {
    private func refusal(of report: NodeReport) -> Refusal? {
        let subject = "node \(report.name)"
        guard nodes[report.name] != nil else {
            return Refusal(
                subject,
                "is not in this cluster; its nodes are "
                    + nodes.keys.sorted().joined(separator: ", "))
        }
        if report.epoch > Limits.epochMax {
            return Refusal(
                subject,
                "holds slices of epoch \(report.epoch.rawValue), expected "
                    + "\(Limits.epochMax.rawValue) at most")
        }
        if let far = peersTooFar(from: report).first {
            return Refusal(
                subject,
                "speaks wire version \(report.wireVersion), \(far.name) speaks "
                    + "\(far.wireVersion)")
        }
        if report.fingerprint != reference.fingerprint {
            return Refusal(
                subject,
                "has a checkpoint with fingerprint \(report.fingerprint), \(reference.name) has "
                    + reference.fingerprint)
        }
        return nil
    }

    /// Those whose messages a node would not understand: the head, then nodes that are here.
    private func peersTooFar(from report: NodeReport) -> [NodeReport] {
        let others = nodes.keys.sorted().filter { $0 != report.name && isHere($0) }
            .compactMap { nodes[$0]?.report }
        let own = Int64(report.wireVersion)
        return ([reference] + others).filter {
            abs(Int64($0.wireVersion) - own) > Int64(Limits.wireVersionStepsMax)
        }
    }

    /// Tells the slices as soon as everyone of the placement is here.
    ///
    /// Where they were told before, someone was lost and has come back without its cache; the
    /// frames of before are void, so this is a new epoch. So it is where a node holds slices under
    /// this number or a later one: another coordinator has told them.
    private mutating func announce(into directives: inout [MembershipDirective]) {
        guard missing.isEmpty else { return }
        if wasAnnounced || newestHeard >= epoch {
            epoch = nextEpoch
            for name in nodes.keys where isHere(name) { expectAgain(name) }
        }
        isReady = false
        wasAnnounced = true
        newestTold = epoch
        directives.append(.placed(epoch, placement))
    }

    /// The number of the next placement.
    ///
    /// What another head has told may have gone further than any node that is here knows, and its
    /// messages may still be on their way: numbers that it may have used are left out.
    private var nextEpoch: Epoch {
        newestHeard > newestTold && newestHeard >= epoch
            ? newestHeard.afterUnknown : max(epoch, newestHeard).next
    }

    /// A node that is here must load and report under the new epoch.
    private mutating func expectAgain(_ name: String) {
        nodes[name]?.loadedShare = 0
        if nodes[name]?.state == .suspect {
            nodes[name]?.stateBefore = .placed
        } else {
            nodes[name]?.state = .placed
        }
    }

    private mutating func move(
        _ name: String, to state: NodeState, into directives: inout [MembershipDirective]
    ) {
        nodes[name]?.state = state
        let wasReady = isReady
        isReady = placement.nodes.allSatisfy(canRun)
        if isReady && !wasReady { directives.append(.allReady(epoch)) }
    }

    /// A suspect that was ready may only be late, so it counts.
    private func canRun(_ name: String) -> Bool {
        guard let node = nodes[name] else { return false }
        return node.state == .ready || (node.state == .suspect && node.stateBefore == .ready)
    }

    mutating func lose(_ name: String, to state: NodeState, _ reason: Refusal?) {
        nodes[name]?.state = state
        nodes[name]?.lastError = reason
        nodes[name]?.detector = nil
        nodes[name]?.brokenAt = nil
        nodes[name]?.failedReachCount = 0
        if nodes[name]?.isPlaced == true { isReady = false }
    }
}
