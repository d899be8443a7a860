public import SkeinCore
internal import SkeinMembership
internal import SkeinTransport

// Ends that cost nothing: of a head whose nodes stay, and of a node whose place is taken.
extension Coordinator {
    /// Ends, and leaves the nodes as they are: they keep their weights and wait for another head.
    ///
    /// - Parameter names: nodes that end all the same, since this host has started them.
    public func retire(ending names: [String] = []) async {
        head.retire(ending: names, now: now)
        carryOut()
        for task in outboxes.takeClosing() { await task.value }
        await inbox.close()
    }

    /// Has a node go away: a standby takes its place.
    ///
    /// - Parameter isForced: whether it goes even where nobody can take its place; then requests
    ///   wait until it is back.
    /// - Throws: a `Refusal` where it is not here, or nobody can take its place.
    public func drain(node name: String, isForced: Bool) throws(Refusal) {
        try head.drain(name, isForced: isForced, now: now)
        carryOut()
    }

    /// Takes up other keys that nodes may prove; connections that stand are not cut.
    public func allow(_ publicKeys: [String: [String]]) { head.allow(publicKeys) }

    /// Whether none of the nodes that hold something is here, so that no stage can run.
    public var isDeserted: Bool {
        head.membership.missing.count == head.membership.placement.nodes.count
    }

    /// The nodes that hold something and are not here.
    public var missingNodes: [String] { head.membership.missing }
}
