internal import SkeinCore
internal import SkeinMembership

/// What a head remembers of nodes that were lost, and of where slices belong (a pure value).
struct FailoverState: Sendable {
    private let patience: FailoverPatience
    let bytes: PartBytes
    /// The placement of the file, with standbys in the places that they have taken.
    var home: SkeinMembership.Placement
    private var steadiness: [String: Steadiness] = [:]
    private var lostAt: [String: Duration] = [:]
    private var cameAt: [String: Duration] = [:]
    /// Nodes that could not load what the placement at hand gives them.
    private(set) var failed: Set<String> = []
    /// Since when nobody has asked anything.
    private var idleSince: Duration?
    /// Since when slices could go back.
    private var improvableSince: Duration?
    private var formingSince: (epoch: Epoch, at: Duration)?
    /// How long the last placement took from its announcement until every stage could run.
    private var lastPause: Duration?

    /// Begins with the placement of the file.
    init(_ settings: CoordinatorSettings) {
        patience = settings.failoverPatience
        bytes = PartBytes(settings.configuration, serving: settings.serving)
        home = settings.placement
    }

    /// A node has come.
    mutating func onArrival(_ name: String, now: Duration) {
        lostAt[name] = nil
        if cameAt[name] == nil { cameAt[name] = now }
    }

    /// A node is gone: of its own will, or dead.
    mutating func onLoss(_ name: String, isDeath: Bool, now: Duration) {
        lostAt[name] = now
        cameAt[name] = nil
        failed.remove(name)
        guard isDeath else { return }
        steadiness[name, default: Steadiness(patience: patience.steadiness)].onDeath(now: now)
    }

    /// A node could not load what it was given.
    ///
    /// - Returns: whether that is news under this placement.
    mutating func onLoadFault(_ name: String, now: Duration) -> Bool {
        guard failed.insert(name).inserted else { return false }
        steadiness[name, default: Steadiness(patience: patience.steadiness)].onLoadFault(now: now)
        return true
    }

    /// A node has loaded what it was given.
    mutating func onLoaded(_ name: String) { failed.remove(name) }

    /// A placement was announced.
    mutating func onForming(_ epoch: Epoch, now: Duration) {
        if formingSince?.epoch != epoch { formingSince = (epoch, now) }
    }

    /// Another placement is taken up.
    mutating func onPlacement() {
        failed = []
        improvableSince = nil
    }

    /// Every stage can run.
    mutating func onReady(now: Duration) {
        lastPause = formingSince.map { now - $0.at }
        failed = []
    }

    /// Whether a node should not be counted on.
    func isKeptOut(_ name: String, now: Duration) -> Bool {
        steadiness[name]?.isKeptOut(now: now) ?? false
    }

    /// What the plan should know of a node but for its state.
    func member(_ name: String, now: Duration) -> FailoverPlan.Member {
        var member = FailoverPlan.Member()
        member.isKeptOut = isKeptOut(name, now: now)
        member.hasFailed = failed.contains(name)
        member.isOverdue = lostAt[name].map { now - $0 >= patience.spreadAfter } ?? false
        member.isSteady = cameAt[name].map { now - $0 >= patience.steadyAfter } ?? false
        return member
    }

    /// Whether slices may go back to where they belong without anybody suffering by it.
    ///
    /// - Parameters:
    ///   - isIdle: whether nobody asks anything.
    ///   - isPossible: whether there is a better placement.
    mutating func mayImprove(isIdle: Bool, isPossible: Bool, now: Duration) -> Bool {
        idleSince = isIdle ? idleSince ?? now : nil
        improvableSince = isPossible ? improvableSince ?? now : nil
        guard let improvableSince else { return false }
        if let idleSince, now - idleSince >= patience.quietAfter { return true }
        guard now - improvableSince >= patience.returnAfter, let lastPause else { return false }
        return lastPause <= patience.pauseMax
    }
}
