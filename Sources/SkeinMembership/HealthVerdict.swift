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

    /// Why it is not `healthy`, the gravest first; one line each.
    public let reasons: [String]

    /// States a verdict.
    public init(_ level: Level, _ reasons: [String] = []) {
        self.level = level
        self.reasons = reasons
    }

    /// Whether requests are served.
    public var isServing: Bool { level == .healthy || level == .degraded }

    /// Judges a cluster.
    public init(_ signs: HealthSigns, patience: HealthPatience = HealthPatience()) {
        if let ending = signs.ending {
            self.init(.down, [ending.description])
            return
        }
        let down = Self.reasonsForDown(signs, patience)
        guard down.isEmpty else {
            self.init(.down, down)
            return
        }
        guard signs.isReady else {
            self.init(.loading, signs.nodes.filter { !$0.isStandby }.compactMap(Self.awaited))
            return
        }
        let degraded = Self.reasonsForDegraded(signs, patience)
        self.init(degraded.isEmpty ? .healthy : .degraded, degraded)
    }

    private static func reasonsForDown(
        _ signs: HealthSigns, _ patience: HealthPatience
    ) -> [String] {
        var reasons: [String] = []
        if signs.isDraining { reasons.append("the server is shutting down") }
        for node in signs.nodes where !node.isStandby {
            switch node.state {
            case .dead:
                reasons.append(node.trouble?.description ?? "node \(node.name): is gone")
            case .left: reasons.append("node \(node.name): has left")
            case .waiting where node.trouble != nil:
                reasons.append("not let in: \(node.trouble?.description ?? node.name)")
            default: break
            }
        }
        guard signs.isReady else { return reasons }
        if let standstill = signs.standstill, standstill >= patience.stallAfter {
            reasons.append(
                "nothing has moved in the ring for \(standstill.secondsText)"
                    + (signs.whereabouts.map { ": \($0)" } ?? ""))
        }
        if case .failed(let refusal) = signs.probe {
            reasons.append("the probe failed: \(refusal)")
        }
        return reasons
    }

    private static func reasonsForDegraded(
        _ signs: HealthSigns, _ patience: HealthPatience
    ) -> [String] {
        var reasons: [String] = []
        for node in signs.nodes {
            if node.isStandby, let absence = Self.absence(of: node) { reasons.append(absence) }
            if node.state == .suspect {
                let silence = node.silence.map { " for \($0.secondsText)" } ?? ""
                reasons.append("node \(node.name): has been silent\(silence)")
            }
            if let version = node.version, version != signs.version {
                reasons.append(
                    "node \(node.name): runs version \(version), the head runs \(signs.version)")
            }
            if let fingerprint = node.fingerprint, fingerprint != signs.fingerprint {
                reasons.append(
                    "node \(node.name): has the checkpoint \(fingerprint.prefix(12)), the head "
                        + "has \(signs.fingerprint.prefix(12))")
            }
            if let bytes = node.memoryAvailableBytes, bytes < Limits.memoryHeadroomBytesMin {
                reasons.append(
                    "node \(node.name): has \(bytes >> 20) MiB of memory left, expected "
                        + "\(Limits.memoryHeadroomBytesMin >> 20) at least")
            }
        }
        switch signs.probe {
        case .answered(let time) where time > patience.probeWait:
            reasons.append("busy: the probe took \(time.secondsText)")
        case .late(let time):
            // A ring that moves carries others' work before the probe; one that does not may be
            // about to stall, which is said when it is certain.
            let isMoving = (signs.standstill ?? .zero) < patience.probeWait
            reasons.append(
                (isMoving ? "busy: " : "") + "the probe has had no answer for \(time.secondsText)"
                    + (isMoving ? "" : signs.whereabouts.map { "; \($0)" } ?? ""))
        default: break
        }
        if signs.waitingCount >= signs.waitingMax {
            reasons.append("the queue is full: \(signs.waitingCount) sequences wait")
        }
        return reasons
    }

    /// Why nobody can count on a standby.
    private static func absence(of node: HealthSigns.Node) -> String? {
        switch node.state {
        case .waiting:
            node.trouble.map { "not let in: \($0)" }
                ?? "node \(node.name): does not stand by, it has not joined"
        case .dead, .left:
            "node \(node.name): does not stand by: \(node.trouble?.reason ?? "has left")"
        default: nil
        }
    }

    /// What a cluster that forms waits for.
    private static func awaited(_ node: HealthSigns.Node) -> String? {
        switch node.state {
        case .waiting: "node \(node.name): has not joined"
        case .placed: "node \(node.name): has not begun to load"
        case .loading:
            "node \(node.name): has loaded \(Int(node.loadedShare * 100)) % of its weights"
        default: nil
        }
    }
}
