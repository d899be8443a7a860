import SkeinCore

/// Something that goes wrong in a simulated cluster; times are in microseconds.
enum SimulatedFault: Sendable {
    /// A node's process ends, and another one starts later.
    case kill(String, downFor: UInt64)
    /// A node's process ends again and again, a while after each start.
    case flap(String, times: Int, every: UInt64)
    /// For so long a node cannot load what it does not have in memory.
    case cannotLoad(String, for: UInt64)
    /// A process stands still: a node's, or the head's.
    case pause(String, for: UInt64)
    /// Nothing passes one way; it is lost, or held until the link is whole again.
    case cut(from: String, to: String, for: UInt64, isLost: Bool)
    /// The next message is lost.
    case drop(from: String, to: String)
    /// The next message comes twice, the second time late.
    case repeated(from: String, to: String, after: UInt64)
    /// The next message comes late, after those behind it.
    case late(from: String, to: String, by: UInt64)
    /// The head's process ends, and another one starts later.
    case killHead(downFor: UInt64)
    /// The head's disk has no room.
    case fullDisk(for: UInt64)
    /// A node cannot finish the next micro-batch that it has computed, and says so.
    case failStep(String)
    /// The head is told that a connection broke which is whole.
    case falseBreak(String)

    /// Faults of a seed.
    static func random(
        _ count: Int, nodes: [String], within span: UInt64, _ numbers: inout SeededNumbers
    ) -> [(time: UInt64, fault: SimulatedFault)] {
        let all = nodes + [SimulatedNode.headName]
        return (0..<count).map { _ in
            let time = UInt64.random(in: 1_000_000...span, using: &numbers)
            let node = nodes.randomElement(using: &numbers) ?? nodes[0]
            let from = all.randomElement(using: &numbers) ?? node
            let to = all.filter { $0 != from }.randomElement(using: &numbers) ?? node
            let short = UInt64.random(in: 100_000...2_000_000, using: &numbers)
            let long = UInt64.random(in: 200_000...9_000_000, using: &numbers)
            let fault: SimulatedFault =
                switch Int.random(in: 0..<14, using: &numbers) {
                case 0: .kill(node, downFor: long)
                case 1: .pause(node, for: long)
                case 2: .pause(SimulatedNode.headName, for: short)
                case 3: .cut(from: from, to: to, for: long, isLost: true)
                case 4: .cut(from: from, to: to, for: long, isLost: false)
                case 5: .drop(from: from, to: to)
                case 6: .repeated(from: from, to: to, after: short)
                case 7: .late(from: from, to: to, by: short)
                case 8: .cannotLoad(node, for: long)
                case 9: .flap(node, times: Int.random(in: 2...4, using: &numbers), every: 4 * short)
                case 10: .kill(node, downFor: 6 * long)
                case 11: .killHead(downFor: short)
                case 12: .fullDisk(for: long)
                default: .falseBreak(node)
                }
            return (time, fault)
        }
    }
}

/// What is wrong with the way from one process to another.
struct SimulatedLink {
    /// When the last message arrives: those behind it do not overtake it.
    var lastArrival: UInt64 = 0
    var cutUntil: UInt64 = 0
    var losesWhileCut = false
    var dropsNext = false
    var repeatsNextAfter: UInt64?
    var delaysNextBy: UInt64?

    /// When a message that is sent now arrives: never, once or twice.
    mutating func arrivals(now: UInt64, _ numbers: inout SeededNumbers) -> [UInt64] {
        if dropsNext {
            dropsNext = false
            return []
        }
        if now < cutUntil, losesWhileCut { return [] }
        let delay = UInt64.random(in: 50...500, using: &numbers)
        if let late = delaysNextBy {
            delaysNextBy = nil
            return [max(now, cutUntil) + late]
        }
        lastArrival = max(lastArrival, max(now, cutUntil) + delay)
        guard let again = repeatsNextAfter else { return [lastArrival] }
        repeatsNextAfter = nil
        return [lastArrival, lastArrival + again]
    }
}
