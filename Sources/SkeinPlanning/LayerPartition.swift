/// Cuts a run of layers over uneven hosts so that the slowest is as fast as can be.
///
/// Not greedy: giving each host as many layers as its speed deserves can leave the last one with
/// too much, or with too little memory. `best[k][l]`, the least longest time of the first `k` hosts
/// with the first `l` layers, follows from `best[k - 1]` by trying every first layer of host `k`.
/// Of all cuts with that longest time, the one with the least sum is taken, since a micro-batch's
/// round is the sum; a second pass over cuts within the first's bound finds it.
public enum LayerPartition {
    /// The least longest time, and a cut that has it.
    public struct Cut<Part: Equatable & Sendable>: Equatable, Sendable {
        /// One part for each host, in order.
        public let parts: [Part]
        /// The longest time of a host.
        public let longest: Double
    }

    /// How much above the optimum a time may be and count as equal: sums differ in their last bits.
    private static let tolerance = 1 + 1e-9

    /// Cuts layers into one range for each host, in order, none empty.
    ///
    /// - Parameters:
    ///   - inner: layers with which no range may begin.
    ///   - time: seconds of a host with a range, `nil` where it does not fit; a longer range that
    ///     begins earlier never fits where a shorter one does not.
    /// - Returns: `nil` where no cut fits.
    public static func linear(
        layerCount: Int, hostCount: Int, keeping inner: Set<Int> = [],
        time: (Int, Range<Int>) -> Double?
    ) -> Cut<Range<Int>>? {
        guard hostCount >= 1, hostCount <= layerCount else { return nil }
        guard
            let longest = linearPass(
                layerCount, hostCount, within: .infinity, keeping: inner, combine: max, time: time
            )?.value,
            let cut = linearPass(
                layerCount, hostCount, within: longest * tolerance, keeping: inner, combine: +,
                time: time)
        else { return nil }
        return Cut(parts: cut.parts, longest: longest)
    }

    private static func linearPass(
        _ layerCount: Int, _ hostCount: Int, within bound: Double, keeping inner: Set<Int>,
        combine: (Double, Double) -> Double, time: (Int, Range<Int>) -> Double?
    ) -> (parts: [Range<Int>], value: Double)? {
        var best = [Double](repeating: .infinity, count: layerCount + 1)
        best[0] = 0
        var firsts: [[Int]] = []
        for host in 0..<hostCount {
            var next = [Double](repeating: .infinity, count: layerCount + 1)
            var first = [Int](repeating: 0, count: layerCount + 1)
            // The hosts behind this one need a layer each.
            let ends = host + 1 == hostCount ? layerCount : host + 1
            for end in ends...(layerCount - (hostCount - 1 - host)) {
                for start in stride(from: end - 1, through: host, by: -1) {
                    guard let seconds = time(host, start..<end) else { break }
                    if inner.contains(start) { continue }
                    guard seconds <= bound, best[start] < .infinity else { continue }
                    let value = combine(best[start], seconds)
                    if value < next[end] {
                        next[end] = value
                        first[end] = start
                    }
                }
            }
            best = next
            firsts.append(first)
        }
        guard best[layerCount] < .infinity else { return nil }
        var parts: [Range<Int>] = []
        var end = layerCount
        for first in firsts.reversed() {
            parts.append(first[end]..<end)
            end = first[end]
        }
        return (parts.reversed(), best[layerCount])
    }
}

/// What one host holds of a V: a slice of the way out and one of the way back.
public struct FoldedPart: Equatable, Sendable {
    /// Layers of the way out.
    public let outward: Range<Int>
    /// Layers of the way back.
    public let returning: Range<Int>

    /// Layers of both.
    var layerCount: Int { outward.count + returning.count }
}

extension LayerPartition {
    /// Cuts layers into a range of the way out and one of the way back for each host.
    ///
    /// Hosts take layers from both ends towards the middle; a state is the pair of ends, so each
    /// host is tried with every pair of lengths. What the sum of times cannot tell apart, the
    /// evenness of the two lengths does: the ring then has stages of one length.
    ///
    /// - Parameters:
    ///   - inner: layers with which no range may begin.
    ///   - time: seconds of a host with two ranges, `nil` where they do not fit; longer ranges
    ///     never fit and are never faster where shorter ones are not.
    public static func folded(
        layerCount: Int, hostCount: Int, keeping inner: Set<Int> = [],
        time: (Int, FoldedPart) -> Double?
    ) -> Cut<FoldedPart>? {
        guard hostCount >= 1, 2 * hostCount <= layerCount else { return nil }
        // A bound that is too low finds nothing and costs little; one that is too high tries too
        // much. From what the fastest host can need at least, some more each time.
        var bound = leastSeconds(layerCount, hostCount, time)
        guard bound < .infinity else { return nil }
        while true {
            var isBinding = false
            let cut = foldedPass(
                layerCount, hostCount, within: bound, keeping: inner, combine: max,
                isBinding: &isBinding, time: time)
            if let cut {
                return even(layerCount, hostCount, longest: cut.value, keeping: inner, time)
            }
            guard isBinding else { return nil }
            bound *= 1.15
        }
    }

    /// Of the cuts with that longest time the one with the least sum, and of these the evenest.
    private static func even(
        _ layerCount: Int, _ hostCount: Int, longest: Double, keeping inner: Set<Int>,
        _ time: (Int, FoldedPart) -> Double?
    ) -> Cut<FoldedPart>? {
        var isBinding = false
        let cut = foldedPass(
            layerCount, hostCount, within: longest * tolerance + 1e-9, keeping: inner,
            combine: +, isBinding: &isBinding
        ) { host, part in
            let difference = Double(part.outward.count - part.returning.count)
            return time(host, part).map { $0 + 1e-13 * difference * difference }
        }
        return cut.map { Cut(parts: $0.parts, longest: longest) }
    }

    /// Some host has at least the mean of the layers; no cut is faster than the fastest host there.
    private static func leastSeconds(
        _ layerCount: Int, _ hostCount: Int, _ time: (Int, FoldedPart) -> Double?
    ) -> Double {
        var least = Double.infinity
        for host in 0..<hostCount {
            for first in [host, layerCount / 2 - 1] where first >= host {
                let part = FoldedPart(
                    outward: first..<(first + 1), returning: (layerCount - 1)..<layerCount)
                least = min(least, time(host, part) ?? .infinity)
            }
        }
        let mean = Double(layerCount) / Double(2 * hostCount)
        return least * max(1, mean * 0.5)
    }

    private static func foldedPass(
        _ layerCount: Int, _ hostCount: Int, within bound: Double, keeping inner: Set<Int>,
        combine: (Double, Double) -> Double, isBinding: inout Bool,
        time: (Int, FoldedPart) -> Double?
    ) -> (parts: [FoldedPart], value: Double)? {
        let width = layerCount + 1
        var best = [Double](repeating: .infinity, count: width * width)
        best[layerCount] = 0  // First layer 0, end layerCount: nothing is taken.
        var froms: [[Int]] = []
        for host in 0..<hostCount {
            var next = [Double](repeating: .infinity, count: width * width)
            var from = [Int](repeating: 0, count: width * width)
            let isLast = host + 1 == hostCount
            for (state, value) in best.enumerated() where value < .infinity {
                let (first, end) = (state / width, state % width)
                let rest = 2 * (hostCount - 1 - host)
                guard end - first - rest >= 2 else { continue }
                for outCount in 1...(end - first - rest - 1) {
                    let most = end - first - rest - outCount
                    for returningCount in (isLast ? most : 1)...most {
                        let part = FoldedPart(
                            outward: first..<(first + outCount),
                            returning: (end - returningCount)..<end)
                        guard let seconds = time(host, part) else { break }
                        guard seconds <= bound else {
                            isBinding = true
                            break
                        }
                        // Where the one ends another range begins, and so does the other.
                        if inner.contains(part.outward.upperBound)
                            || inner.contains(part.returning.lowerBound)
                        {
                            continue
                        }
                        let target = (first + outCount) * width + end - returningCount
                        let sum = combine(value, seconds)
                        if sum < next[target] {
                            next[target] = sum
                            from[target] = state
                        }
                    }
                }
            }
            best = next
            froms.append(from)
        }
        guard
            let state = (0..<width).map({ $0 * width + $0 }).min(by: { best[$0] < best[$1] }),
            best[state] < .infinity
        else { return nil }
        return (parts(froms, from: state, width: width), best[state])
    }

    private static func parts(_ froms: [[Int]], from last: Int, width: Int) -> [FoldedPart] {
        var parts: [FoldedPart] = []
        var state = last
        for from in froms.reversed() {
            let before = from[state]
            parts.append(
                FoldedPart(
                    outward: (before / width)..<(state / width),
                    returning: (state % width)..<(before % width)))
            state = before
        }
        return parts.reversed()
    }
}
