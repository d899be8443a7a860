import SkeinCore

// Who is silent: signs of life, and what their absence means.
extension MembershipView {
    /// Notes a sign of life.
    public mutating func onAlive(_ name: String, now: Duration) -> [MembershipDirective] {
        guard isHere(name) else { return [] }
        nodes[name]?.detector?.onSign(now: now)
        nodes[name]?.brokenAt = nil
        nodes[name]?.failedReachCount = 0
        guard let node = nodes[name], node.state == .suspect else { return [] }
        nodes[name]?.state = node.stateBefore
        return [.recovered(name)]
    }

    /// Notes that the connection to a node broke: its process has ended, or the network stumbled.
    ///
    /// A node that lives is connected again within moments and gives a sign; one that does not is
    /// gone, which is known sooner than by silence alone.
    public mutating func onLinkBroken(_ name: String, now: Duration) -> [MembershipDirective] {
        guard isHere(name), let node = nodes[name], node.brokenAt == nil else { return [] }
        nodes[name]?.brokenAt = now
        guard node.state != .suspect else { return [] }
        return [suspect(name, now: now)]
    }

    /// Notes how long a heartbeat to a node and its answer took: patience with it follows.
    public mutating func onRoundTrip(_ name: String, _ measured: Duration) {
        nodes[name]?.detector?.onRoundTrip(measured)
    }

    /// Notes that nobody listens where a node did, after its connection broke.
    ///
    /// A host that lives refuses connections at once where no process listens, so the process is
    /// gone, and waiting for its signs would be time lost. The first refusal may be that of a
    /// network which stumbled; the second, some tenths of a second later, is believed.
    public mutating func onNotReached(_ name: String) -> [MembershipDirective] {
        guard isHere(name), nodes[name]?.brokenAt != nil else { return [] }
        nodes[name]?.failedReachCount += 1
        guard let count = nodes[name]?.failedReachCount, count >= 2 else { return [] }
        return onLost(
            name, Refusal("node \(name)", "its connection broke, and nobody listens there"))
    }

    private mutating func suspect(_ name: String, now: Duration) -> MembershipDirective {
        if let node = nodes[name] {
            nodes[name]?.stateBefore = node.state
            nodes[name]?.state = .suspect
        }
        return .suspect(name, silence: silence(of: name, now: now) ?? .zero)
    }

    /// Looks at everyone's silence.
    ///
    /// A tick that comes late means that this process did not run, and so heard nobody: on a
    /// machine that was suspended or is far too busy, that time is no one's silence.
    public mutating func onTick(now: Duration) -> [MembershipDirective] {
        var directives: [MembershipDirective] = []
        forgiveDeafness(now: now)
        for name in nodes.keys.sorted() {
            guard isHere(name), let node = nodes[name], let detector = node.detector else {
                continue
            }
            let silence = detector.silence(now: now)
            if let broken = node.brokenAt, now - broken >= detector.brokenAfter {
                let reason = Refusal(
                    "node \(name)",
                    "its connection broke, and it gave no sign of life for "
                        + (now - broken).secondsText)
                lose(name, to: .dead, reason)
                directives.append(.dead(name, reason))
                continue
            }
            switch detector.verdict(now: now) {
            case .alive: break
            case .suspect where node.state != .suspect:
                directives.append(suspect(name, now: now))
            case .suspect: break
            case .dead:
                let reason = Refusal(
                    "node \(name)",
                    "gave no sign of life for \(silence.secondsText), expected one every "
                        + patience.heartbeat.secondsText)
                lose(name, to: .dead, reason)
                directives.append(.dead(name, reason))
            }
        }
        return directives
    }

    /// How long the node has given no sign of life; `nil` where it is not here.
    public func silence(of name: String, now: Duration) -> Duration? {
        isHere(name) ? nodes[name]?.detector?.silence(now: now) : nil
    }

    /// How long ago the connection to the node broke; `nil` where it has given a sign since.
    public func timeSinceBreak(of name: String, now: Duration) -> Duration? {
        isHere(name) ? nodes[name]?.brokenAt.map { now - $0 } : nil
    }

    /// Takes the time by which this tick is late out of everyone's silence.
    private mutating func forgiveDeafness(now: Duration) {
        let deafness = now - (lastTick ?? now) - patience.heartbeat * 2
        lastTick = now
        guard deafness > .zero else { return }
        for name in nodes.keys {
            nodes[name]?.detector?.onDeafness(deafness, now: now)
            if let broken = nodes[name]?.brokenAt {
                nodes[name]?.brokenAt = min(now, broken + deafness)
            }
        }
    }
}
