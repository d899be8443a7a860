internal import SkeinCore

/// Whether a cluster serves, and if it does less than it should, why (a pure value).
public struct HealthVerdict: Equatable, Sendable {
    /// From best to worst.
    public enum Level: String, Equatable, Sendable, CaseIterable {
        /// Tokens flow and nothing is wrong.
        case healthy = "ok"
        /// It serves, but somebody should look.
        case degraded
        /// It does not serve yet, and nothing is known to be wrong.
        case loading
        /// It does not serve.
        case down
    }

    /// The verdict in one word.
    public let level: Level

    /// Why it is not `healthy`, the gravest first.
    public let reasons: [HealthReason]

    /// States a verdict.
    public init(_ level: Level, _ reasons: [HealthReason] = []) {
        self.level = level
        self.reasons = reasons
    }

    /// Whether requests are served.
    public var isServing: Bool { level == .healthy || level == .degraded }

    /// Judges a cluster.
    public init(_ signs: HealthSignals, patience: HealthPatience = HealthPatience()) {
        if let ending = signs.ending {
            self.init(.down, [HealthReason(.ended, ending.description)])
            return
        }
        let down = Self.reasonsForDown(signs, patience)
        guard down.isEmpty else {
            let others = signs.nodes.filter { !$0.isStandby }.compactMap {
                Self.silence(of: $0) ?? ($0.isAbsent ? Self.awaited($0) : nil)
            }
            self.init(.down, down + others)
            return
        }
        guard signs.isReady else {
            self.init(
                .loading,
                signs.nodes.filter { !$0.isStandby }.compactMap {
                    Self.silence(of: $0) ?? Self.awaited($0)
                } + signs.nodes.compactMap(Self.absence))
            return
        }
        let degraded = Self.reasonsForDegraded(signs, patience)
        self.init(degraded.isEmpty ? .healthy : .degraded, degraded)
    }

    private static func reasonsForDown(
        _ signs: HealthSignals, _ patience: HealthPatience
    ) -> [HealthReason] {
        var reasons: [HealthReason] = []
        if signs.isDraining {
            reasons.append(HealthReason(.draining, "the server is shutting down"))
        }
        for node in signs.nodes where !node.isStandby {
            switch node.state {
            case .dead:
                reasons.append(
                    reason(.nodeDead, node, node.trouble?.description ?? "\(node.title): is gone"))
            case .left: reasons.append(reason(.nodeLeft, node, "\(node.title): has left"))
            case .waiting:
                guard let trouble = node.trouble else { continue }
                reasons.append(reason(.nodeRefused, node, "not let in: \(trouble)"))
            default: break
            }
        }
        guard signs.isReady else { return reasons }
        if let standstill = signs.standstill, standstill >= patience.stallAfter {
            reasons.append(
                HealthReason(
                    .ringStalled, node: signs.whereabouts?.node,
                    "nothing has moved in the ring for \(standstill.secondsText)"
                        + (signs.whereabouts.map { ": \($0.text)" } ?? "")))
        }
        if case .failed(let refusal) = signs.probe {
            reasons.append(HealthReason(.probeFailed, "the probe failed: \(refusal)"))
        }
        return reasons
    }

    private static func reasonsForDegraded(
        _ signs: HealthSignals, _ patience: HealthPatience
    ) -> [HealthReason] {
        var reasons: [HealthReason] = []
        for node in signs.nodes {
            reasons += [absence(of: node), silence(of: node)].compactMap(\.self)
            if let version = node.version, version != signs.version {
                reasons.append(
                    reason(
                        .versionDiffers, node,
                        "\(node.title): runs version \(version), the head runs \(signs.version)"))
            }
            if let fingerprint = node.fingerprint, fingerprint != signs.fingerprint {
                reasons.append(
                    reason(
                        .checkpointDiffers, node,
                        "\(node.title): has the checkpoint \(fingerprint.prefix(12)), the head "
                            + "has \(signs.fingerprint.prefix(12))"))
            }
            if let bytes = node.memoryAvailableBytes, bytes < Limits.memoryHeadroomBytesMin {
                reasons.append(
                    reason(
                        .memoryLow, node,
                        "\(node.title): has \(bytes >> 20) MiB of memory left, expected "
                            + "\(Limits.memoryHeadroomBytesMin >> 20) at least"))
            }
        }
        if let trouble = signs.journalTrouble {
            reasons.append(
                HealthReason(.journalFailed, "requests cannot be written down: \(trouble)"))
        }
        if let lateness = lateness(signs, patience) { reasons.append(lateness) }
        if signs.waitingCount >= signs.waitingMax {
            reasons.append(
                HealthReason(
                    .queueFull, "the queue is full: \(signs.waitingCount) sequences wait"))
        }
        return reasons
    }

    /// What a slow probe means.
    private static func lateness(
        _ signs: HealthSignals, _ patience: HealthPatience
    ) -> HealthReason? {
        switch signs.probe {
        case .answered(let time) where time > patience.probeWait:
            return HealthReason(.busy, "busy: the probe took \(time.secondsText)")
        case .late(let time):
            // A ring that moves carries others' work before the probe; one that does not may be
            // about to stall, which is said when it is certain. Where a node gives no sign of life,
            // that is the cause, and not the work.
            let isMoving = (signs.standstill ?? .zero) < patience.standstillAfter
            let text = "the probe has had no answer for \(time.secondsText)"
            guard isMoving else {
                let place = signs.whereabouts.map { "; \($0.text)" } ?? ""
                return HealthReason(.probeLate, node: signs.whereabouts?.node, text + place)
            }
            let hasSuspect = signs.nodes.contains { !$0.isStandby && $0.state == .suspect }
            return hasSuspect
                ? HealthReason(.probeLate, text) : HealthReason(.busy, "busy: \(text)")
        default: return nil
        }
    }

    /// What is known of a node that may be lost: its connection broke, or it is silent.
    private static func silence(of node: HealthSignals.Node) -> HealthReason? {
        guard node.state == .suspect else { return nil }
        if let time = node.brokenFor {
            return reason(
                .nodeDisconnected, node,
                "\(node.title): its connection broke \(time.secondsText) ago")
        }
        let time = node.silence.map { " for \($0.secondsText)" } ?? ""
        return reason(.nodeSilent, node, "\(node.title): has been silent\(time)")
    }

    /// Why nobody can count on a standby.
    private static func absence(of node: HealthSignals.Node) -> HealthReason? {
        guard node.isStandby else { return nil }
        switch node.state {
        case .waiting:
            let text =
                node.trouble.map { "not let in: \($0)" }
                ?? "\(node.title): does not stand by, it has not joined"
            return reason(.standbyMissing, node, text)
        case .dead, .left:
            return reason(
                .standbyMissing, node,
                "\(node.title): does not stand by: \(node.trouble?.reason ?? "has left")")
        default: return nil
        }
    }

    /// What a cluster that forms waits for.
    private static func awaited(_ node: HealthSignals.Node) -> HealthReason? {
        switch node.state {
        case .waiting: reason(.nodeAbsent, node, "\(node.title): has not joined")
        case .placed: reason(.nodePlaced, node, "\(node.title): has not begun to load")
        case .loading:
            reason(
                .nodeLoading, node,
                "\(node.title): has loaded \(Int(node.loadedShare * 100)) % of its weights")
        default: nil
        }
    }

    private static func reason(
        _ code: HealthReason.Code, _ node: HealthSignals.Node, _ text: String
    ) -> HealthReason {
        HealthReason(code, node: node.name, text)
    }
}

extension HealthSignals.Node {
    /// How reasons begin that are about it.
    fileprivate var title: String { "node \(name)" }
}
