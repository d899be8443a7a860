import SkeinCore
import SkeinMembership

@testable import SkeinCoordinator

/// What is remembered to tell whether health names a sick node in time.
struct SickNodeWatch {
    /// When the head last heard of a node.
    var heard: [String: UInt64] = [:]
    /// Since when the head has ticked without a pause.
    var awakeSince: UInt64 = 0
    var lastTick: UInt64 = 0
}

extension ClusterSimulation {
    /// Silence after which health must name a node: half of that which is death, and a tick.
    private static let namedAfter: UInt64 = 3_600_000

    /// Where a node of the ring stands still or is gone, health says so and names it.
    mutating func checkVerdict(_ now: UInt64) {
        if now > watch.lastTick + 600_000 { watch.awakeSince = now }
        watch.lastTick = now
        let moment = headTime(now)
        let verdict = head.verdict(probe: .none, isDraining: false, now: moment)
        for name in head.membership.placement.nodes {
            let isStopped = nodes[name] == nil || pausedUntil[name].map { $0 > now } ?? false
            let since = max(watch.heard[name] ?? 0, watch.awakeSince)
            guard isStopped, now > since + Self.namedAfter else { continue }
            if verdict.level == .healthy || !verdict.reasons.contains(where: { $0.node == name }) {
                faults.append("\(name) has stopped, and health says \(verdict)")
            }
        }
    }

    /// The node and the process that listen at an address.
    static func parts(of address: String) -> (name: String, process: UInt64?) {
        let parts = address.split(separator: "-").map(String.init)
        return (parts.first ?? "", parts.last.flatMap { UInt64($0) })
    }
}
