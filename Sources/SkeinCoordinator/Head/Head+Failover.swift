internal import Logging
internal import SkeinCore
internal import SkeinMembership
internal import SkeinScheduling
internal import SkeinWire

// Who takes the places of nodes that are lost or cannot load, and when slices go back.
extension Head {
    /// Gives the slices of lost nodes to others where that is possible.
    ///
    /// - Returns: whether another placement was taken up.
    @discardableResult
    mutating func relieve() -> Bool {
        if settings.endsWithItsNodes { return false }
        guard let found = failoverPlan.relief() else { return false }
        take(found)
        return true
    }

    /// A node is gone.
    mutating func noteLoss(_ name: String, isDeath: Bool) {
        failover.onLoss(name, isDeath: isDeath, now: now)
        if membership.placement.nodes.contains(name) { ringProgress.onNodeLost() }
        if failover.isKeptOut(name, now: now) {
            log(.warning, "node \(name) has failed again: others are preferred to it for a time")
        }
    }

    /// A node could not take up its slices: they pass on to the next who can.
    mutating func noteLoadFault(_ name: String) {
        guard membership.placement.nodes.contains(name),
            failover.onLoadFault(name, now: now)
        else { return }
        relieve()
    }

    /// Takes nodes for lost that have not come since this head was started, where another one
    /// before it had placed them: they may have ended together with it.
    private mutating func missAbsentNodes() {
        guard followsAnother, now >= settings.failoverPatience.absentAfter else { return }
        followsAnother = false
        for name in membership.placement.nodes where membership.nodes[name]?.state == .waiting {
            carryOut(
                membership.onAbsent(
                    name, Refusal("node \(name)", "has not come since the head was started again"))
            )
        }
    }

    /// Looks whether lost nodes are overdue, and whether slices may go back.
    mutating func settleFailover() {
        if settings.endsWithItsNodes { return }
        missAbsentNodes()
        if relieve() || endReason != nil { return }
        let better = readiness == .ready ? failoverPlan.improvement() : nil
        // A probe is nobody's request: it comes every second where a load balancer asks.
        guard
            failover.mayImprove(isIdle: live.isEmpty, isPossible: better != nil, now: now),
            let better
        else { return }
        log(.notice, "nodes are back: the slices that others took for them go back")
        take(better)
    }

    /// The schedule's numbers under a placement, where its places or their threads differ from
    /// those of the one before.
    func newPlan(for placement: SkeinMembership.Placement) -> SchedulePlan? {
        let plan = settings.schedulePlan(for: placement)
        return plan.computeOwners == schedule.plan.computeOwners ? nil : plan
    }

    /// How many tokens are guessed ahead under a placement: none where the model has no layer for
    /// it, or while one of the nodes is of a version that does not know drafts.
    func speculation(under placement: SkeinMembership.Placement) -> Speculation {
        let versions =
            [WireVersion.current] + placement.nodes.map { nodes[$0]?.hello?.wireVersion ?? 0 }
        let isUnderstood = versions.allSatisfy { $0 >= WireVersion.withDrafts }
        return isUnderstood && settings.configuration.nextTokenLayerCount > 0
            ? settings.serving.speculation : .off
    }

    /// What a node that comes has room for.
    ///
    /// One that a head before this one has placed holds, most likely, what the file gives it.
    mutating func noteRoom(_ hello: Hello, of name: String, holding epoch: Epoch) {
        guard hello.memoryAvailableBytes > 0 else { return }
        let available = Int(clamping: min(hello.memoryAvailableBytes, UInt64(Int.max / 2)))
        if epoch == .none {
            nodes[name]?.emptyRoomBytes = available
            nodes[name]?.roomBytes = available
        } else if nodes[name]?.roomBytes == nil {
            nodes[name]?.roomBytes =
                available + failover.bytes.total(of: name, in: failover.home)
        }
    }

    /// What a node has room for: what it holds, if it runs, and what is free beside it.
    ///
    /// Weights that are mapped from a file count as free on some systems; a node has no more room
    /// than it had before it held anything.
    mutating func noteRoom(_ alive: Alive, of name: String, epoch: Epoch) {
        guard alive.memoryAvailableBytes > 0, epoch == membership.epoch,
            membership.nodes[name]?.state == .ready
        else { return }
        let room =
            Int(clamping: min(alive.memoryAvailableBytes, UInt64(Int.max / 2)))
            + failover.bytes.total(of: name, in: membership.placement)
        let bound = nodes[name]?.emptyRoomBytes ?? room
        nodes[name]?.roomBytes = min(room, bound)
    }

    private mutating func take(_ found: FailoverPlan.Arrangement) {
        for (lost, standby) in found.replaced.sorted(by: { $0.key < $1.key }) {
            add(.report(.failedOver(node: lost, by: standby)))
        }
        if found.placement != found.home, found.awaited.isEmpty {
            let holders = found.placement.stages.map { "\($0.stage.rawValue) on \($0.node)" }
            log(
                .warning,
                "the slices of lost nodes are spread over the others: stages "
                    + holders.joined(separator: ", "))
        }
        failover.home = found.home
        failover.onPlacement()
        if readiness == .ready { readiness = .forming }
        releaseProbeWaits()
        carryOut(membership.onPlacement(found.placement))
    }

    /// What is known of all nodes now, to decide by.
    var failoverPlan: FailoverPlan {
        var members: [String: FailoverPlan.Member] = [:]
        for (name, known) in membership.nodes {
            var member = failover.member(name, now: now)
            member.isHere = membership.isHere(name)
            member.isLost = known.state == .dead || known.state == .left
            member.roomBytes = nodes[name]?.roomBytes
            members[name] = member
        }
        return FailoverPlan(
            bytes: failover.bytes, home: failover.home, current: membership.placement,
            members: members)
    }
}
