import SkeinCore

/// Where in a grammar an answer stands: every way in which it can have been read so far.
struct GrammarState: Hashable, Sendable {
    /// A place with the places to go on with after it, the innermost last.
    ///
    /// Of each entry the low half is the place, and the high half how often its loop has come.
    typealias Reading = [UInt64]

    /// The ways that go on; sorted, so that equal states are equal values.
    fileprivate(set) var readings: [Reading] = []

    /// Whether the answer may end here.
    fileprivate(set) var isComplete = false

    /// Whether nothing may follow.
    var isOver: Bool { readings.isEmpty }

    /// The end of an answer.
    static let over: GrammarState = {
        var state = GrammarState()
        state.isComplete = true
        return state
    }()
}

extension ByteGrammar {
    /// Where an answer stands before its first byte.
    var beginning: GrammarState {
        var stepCount = 0
        return settled([[Self.entry(start, 0)]], &stepCount)
    }

    /// Where it stands after a control token; `nil` where the token may not come.
    func state(after token: TokenID, in state: GrammarState) -> GrammarState? {
        let moved = state.readings.compactMap { reading -> GrammarState.Reading? in
            guard case .token(token, let next) = place(of: reading) else { return nil }
            return Self.moved(reading, to: next)
        }
        var stepCount = 0
        let next = settled(moved, &stepCount)
        return next.isOver && !next.isComplete ? nil : next
    }

    /// The control tokens that may come next.
    func controlTokens(in state: GrammarState) -> [TokenID] {
        state.readings.compactMap { reading in
            if case .token(let token, _) = place(of: reading) { token } else { nil }
        }
    }

    /// Where each byte leads that may come next.
    struct Successors {
        /// Ranges of bytes that lead to the same state.
        var states: [(bytes: ClosedRange<UInt8>, state: GrammarState)] = []
        /// The work that it took to find them.
        var stepCount = 0
    }

    /// Where each byte leads that may come next.
    func successors(of state: GrammarState) -> Successors {
        var cuts: Set<Int> = []
        for reading in state.readings {
            guard case .bytes(let edges) = place(of: reading) else { continue }
            for edge in edges {
                cuts.insert(Int(edge.bytes.lowerBound))
                cuts.insert(Int(edge.bytes.upperBound) + 1)
            }
        }
        let bounds = cuts.sorted()
        var found = Successors()
        for (low, high) in zip(bounds, bounds.dropFirst()) {
            let byte = UInt8(low)
            var moved: [GrammarState.Reading] = []
            for reading in state.readings {
                guard case .bytes(let edges) = place(of: reading) else { continue }
                for edge in edges where edge.bytes.contains(byte) {
                    moved.append(Self.moved(reading, to: edge.next))
                }
            }
            guard !moved.isEmpty else { continue }
            let next = settled(moved, &found.stepCount)
            guard next.isComplete || !next.isOver else { continue }
            found.states.append((byte...UInt8(high - 1), next))
        }
        return found
    }

    // MARK: Rooms

    /// Follows everything that takes nothing.
    ///
    /// Readings beyond the largest number are left out, in an order that depends on the grammar
    /// alone: each of those that stay can still be brought to an end.
    private func settled(
        _ readings: [GrammarState.Reading], _ stepCount: inout Int
    ) -> GrammarState {
        var state = GrammarState()
        var known: Set<GrammarState.Reading> = []
        var pending = Array(readings.reversed())
        var steps = 0
        while let reading = pending.popLast(), steps < Limits.constraintStepsMax,
            state.readings.count < Limits.constraintReadingsMax
        {
            steps += 1
            let place = place(of: reading)
            let index = Int(UInt32(truncatingIfNeeded: reading[reading.count - 1]))
            guard reading.count - 1 + Int(needs[index]) <= Limits.constraintDepthMax else {
                continue
            }
            switch place {
            case .bytes, .token:
                if known.insert(reading).inserted { state.readings.append(reading) }
            case .either(let places):
                for next in places.reversed() { pending.append(Self.moved(reading, to: next)) }
            case .call(let part, let next):
                var inner = Self.moved(reading, to: next)
                // What only ends after the part need not be come back to.
                if next == GrammarBuilder.end { inner.removeLast() }
                pending.append(inner + [Self.entry(part, 0)])
            case .loop(let part, let least, let most, let next):
                let count = Int32(truncatingIfNeeded: reading[reading.count - 1] >> 32)
                if count >= least { pending.append(Self.moved(reading, to: next)) }
                if count < most {
                    var outer = reading
                    let counted = most == .max ? min(count + 1, least) : count + 1
                    outer[outer.count - 1] = Self.entry(Index(index), counted)
                    pending.append(outer + [Self.entry(part, 0)])
                }
            case .end:
                if reading.count == 1 {
                    state.isComplete = true
                } else {
                    pending.append(reading.dropLast())
                }
            }
        }
        stepCount += steps
        state.readings.sort { $0.lexicographicallyPrecedes($1) }
        return state
    }

    private func place(of reading: GrammarState.Reading) -> Place {
        places[Int(UInt32(truncatingIfNeeded: reading[reading.count - 1]))]
    }

    private static func entry(_ place: Index, _ count: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: count)) << 32 | UInt64(UInt32(bitPattern: place))
    }

    private static func moved(
        _ reading: GrammarState.Reading, to place: Index
    ) -> GrammarState.Reading {
        var moved = reading
        moved[moved.count - 1] = entry(place, 0)
        return moved
    }
}
