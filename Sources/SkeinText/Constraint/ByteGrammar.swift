import SkeinCore

/// A language of bytes and control tokens: what an answer may be, as a network of places.
///
/// A place says what may come next and where that leads. Places call others, so that a value may
/// hold values like itself; what is to be gone on with after a call lies on a stack, in
/// ``GrammarState``. The network is built from the end to the beginning by ``GrammarBuilder``.
struct ByteGrammar: Sendable {
    /// A place's number.
    typealias Index = Int32

    /// Bytes of a range lead to a place.
    struct Edge: Equatable, Sendable {
        var bytes: ClosedRange<UInt8>
        var next: Index
    }

    /// What may come next.
    enum Place: Equatable, Sendable {
        /// One byte.
        case bytes([Edge])
        /// One control token.
        case token(TokenID, next: Index)
        /// What any of these places says.
        case either([Index])
        /// A part of its own, up to its end, and then what `next` says.
        case call(Index, next: Index)
        /// A part that comes so many times, and then what `next` says; the part is never empty.
        case loop(Index, least: Int32, most: Int32, next: Index)
        /// The end of a part, or of the answer.
        case end
    }

    let places: [Place]

    /// Where an answer begins.
    let start: Index

    /// How many calls the shortest way from each place to its part's end lies inside at most;
    /// ``never`` where no way leads there.
    let needs: [Int32]

    /// Stands for a need that no stack can meet.
    static let never = Int32.max / 2

    /// - Throws: a refusal where no answer exists, or where a part calls itself without a byte
    ///   between.
    init(places: [Place], start: Index, subject: String) throws(Refusal) {
        self.places = places
        self.start = start
        needs = Self.needs(of: places)
        guard needs[Int(start)] <= Limits.constraintDepthMax else {
            throw Refusal(
                subject, "no finite value fulfils it, or only one nested too deeply for this server"
            )
        }
        guard !Self.callsItselfAtOnce(places) else {
            throw Refusal(subject, "has a $ref that leads to itself with nothing between")
        }
    }

    private static func needs(of places: [Place]) -> [Int32] {
        var needs = [Int32](repeating: never, count: places.count)
        var isSettled = false
        while !isSettled {
            isSettled = true
            for (index, place) in places.enumerated() {
                let need = need(of: place, given: needs)
                if need < needs[index] {
                    needs[index] = need
                    isSettled = false
                }
            }
        }
        return needs
    }

    private static func need(of place: Place, given needs: [Int32]) -> Int32 {
        switch place {
        case .bytes(let edges): edges.map { needs[Int($0.next)] }.min() ?? never
        case .token(_, let next): needs[Int(next)]
        case .either(let places): places.map { needs[Int($0)] }.min() ?? never
        case .call(let part, let next):
            min(never, max(1 + needs[Int(part)], needs[Int(next)]))
        case .loop(let part, let least, _, let next):
            least == 0
                ? needs[Int(next)] : min(never, max(1 + needs[Int(part)], needs[Int(next)]))
        case .end: 0
        }
    }

    /// Whether following places that take nothing leads back into the same call.
    private static func callsItselfAtOnce(_ places: [Place]) -> Bool {
        // 0: not seen, 1: on the way, 2: done.
        var marks = [UInt8](repeating: 0, count: places.count)
        for root in places.indices where marks[root] == 0 {
            var way: [(place: Int, next: [Index])] = [(root, successors(places[root]))]
            marks[root] = 1
            while let last = way.last {
                guard let next = last.next.last else {
                    marks[last.place] = 2
                    way.removeLast()
                    continue
                }
                way[way.count - 1].next.removeLast()
                let place = Int(next)
                if marks[place] == 1 { return true }
                guard marks[place] == 0 else { continue }
                marks[place] = 1
                way.append((place, successors(places[place])))
            }
        }
        return false
    }

    /// Places that may be entered without taking anything; no part but a loop's rest is empty.
    private static func successors(_ place: Place) -> [Index] {
        switch place {
        case .bytes, .token, .end: []
        case .either(let places): places
        case .call(let part, _): [part]
        case .loop(let part, let least, _, let next): least == 0 ? [part, next] : [part]
        }
    }
}
