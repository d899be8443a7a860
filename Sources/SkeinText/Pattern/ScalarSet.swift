/// A set of scalars, as a pattern's `[…]`, `\p{…}` or single character denotes it.
struct ScalarSet: Equatable, Sendable {
    /// Scalars of any of these classes belong.
    var classes: ScalarClass = []

    /// Scalars of these ranges belong; sorted and apart once `sealed`.
    private(set) var ranges: [ClosedRange<UInt32>] = []

    /// Members of these belong as well.
    var unions: [ScalarSet] = []

    /// Only members of all of these belong.
    var intersections: [ScalarSet] = []

    /// Whether the set is everything but the above.
    var isNegated = false

    /// Answers for the 128 ASCII scalars, 64 in each word.
    private var ascii: (UInt64, UInt64) = (0, 0)

    init(classes: ScalarClass = [], ranges: [ClosedRange<UInt32>] = []) {
        self.classes = classes
        self.ranges = ranges
    }

    static func == (left: ScalarSet, right: ScalarSet) -> Bool {
        left.classes == right.classes && left.ranges == right.ranges
            && left.unions == right.unions && left.intersections == right.intersections
            && left.isNegated == right.isNegated
    }

    mutating func insert(_ range: ClosedRange<UInt32>) { ranges.append(range) }

    /// Sorts the ranges and writes down the answers for ASCII; nothing may be added afterwards.
    func sealed() -> ScalarSet {
        var set = self
        set.unions = unions.map { $0.sealed() }
        set.intersections = intersections.map { $0.sealed() }
        set.ranges = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = set.ranges.last, range.lowerBound <= last.upperBound {
                let upper = max(last.upperBound, range.upperBound)
                set.ranges[set.ranges.count - 1] = last.lowerBound...upper
            } else {
                set.ranges.append(range)
            }
        }
        for value in UInt32(0)..<64 {
            if set.decide(value, .of(value)) { set.ascii.0 |= 1 << UInt64(value) }
            if set.decide(value + 64, .of(value + 64)) { set.ascii.1 |= 1 << UInt64(value) }
        }
        return set
    }

    func contains(_ value: UInt32, _ scalarClass: ScalarClass) -> Bool {
        if value < 64 { return ascii.0 >> UInt64(value) & 1 == 1 }
        if value < 128 { return ascii.1 >> UInt64(value - 64) & 1 == 1 }
        return decide(value, scalarClass)
    }

    private func decide(_ value: UInt32, _ scalarClass: ScalarClass) -> Bool {
        var found = !classes.isDisjoint(with: scalarClass) || isInRanges(value)
        for union in unions where !found { found = union.decide(value, scalarClass) }
        for other in intersections where found { found = other.decide(value, scalarClass) }
        return found != isNegated
    }

    private func isInRanges(_ value: UInt32) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if value < ranges[middle].lowerBound {
                high = middle
            } else if value > ranges[middle].upperBound {
                low = middle + 1
            } else {
                return true
            }
        }
        return false
    }
}
