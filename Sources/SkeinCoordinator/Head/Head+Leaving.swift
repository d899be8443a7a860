internal import SkeinCore
internal import SkeinMembership
internal import SkeinWire

// Nodes that go in good order, and the end of a head that leaves its nodes as they are.
extension Head {
    /// A node wants to go: at once where a standby takes its place or nothing runs, and else when
    /// what is in the ring has come back.
    ///
    /// Either way live sequences go on as after a loss: on the standby, or once it is back.
    mutating func letGo(_ name: String) {
        guard membership.placement.nodes.contains(name), readiness == .ready,
            ringProgress.inFlightCount > 0, !settings.endsWithItsNodes, !canDoWithout(name)
        else { return dismiss(name) }
        if leaving[name] == nil { leaving[name] = now }
    }

    /// Lets those go for whom the ring was emptied; a micro-batch that does not come back is not
    /// waited for long.
    ///
    /// - Returns: whether somebody waits still, so that no further micro-batch may be sent.
    @discardableResult
    mutating func settleLeaves() -> Bool {
        for (name, since) in leaving.sorted(by: { $0.key < $1.key }) {
            let isEmpty = ringProgress.inFlightCount == 0
            if isEmpty || readiness != .ready || now - since >= settings.lossPatience {
                dismiss(name)
            }
        }
        return !leaving.isEmpty
    }

    /// Has a node go away for whom somebody asks.
    ///
    /// - Throws: a `Refusal` where there is no such node here, or nobody to take its place and that
    ///   is not put up with.
    mutating func drain(_ name: String, isForced: Bool, now: Duration) throws(Refusal) {
        self.now = now
        let subject = "node \(name)"
        guard membership.nodes[name] != nil else {
            throw Refusal(
                subject,
                "is not in this cluster; its nodes are "
                    + membership.nodes.keys.sorted().joined(separator: ", "))
        }
        guard membership.isHere(name) else { throw Refusal(subject, "is not here") }
        let isPlaced = membership.placement.nodes.contains(name)
        guard isForced || !isPlaced || canDoWithout(name) else {
            throw Refusal(
                subject,
                "has nobody to take its place: no standby is here that has room; with --force it "
                    + "goes, and requests wait for its return")
        }
        letGo(name)
    }

    /// Ends, and leaves the nodes as they are: they keep what they hold and wait for a head.
    ///
    /// - Parameter names: nodes that end all the same, since they are this head's own.
    mutating func retire(ending names: [String], now: Duration) {
        self.now = now
        let linked = linkedNodes
        for name in linked where names.contains(name) { tell(name, .shutdown) }
        end(Refusal("cluster \(settings.clusterName)", "its head was shut down"))
        for name in linked { disconnect(name, drains: true) }
    }

    // MARK: - Private

    /// Tells a node that it may end, and goes on without it.
    private mutating func dismiss(_ name: String) {
        leaving[name] = nil
        guard membership.isHere(name) else { return }
        tell(name, .shutdown)
        // It must hear that before its link is closed.
        disconnect(name, drains: true)
        carryOut(membership.onLeave(name))
    }

    /// Whether others would hold at once what a node holds, or nobody needs to.
    private func canDoWithout(_ name: String) -> Bool {
        var members = failoverPlan.members
        members[name]?.isHere = false
        members[name]?.isLost = true
        let plan = FailoverPlan(
            bytes: failover.bytes, home: failover.home, current: membership.placement,
            members: members)
        return plan.relief()?.awaited.isEmpty == true
    }
}
