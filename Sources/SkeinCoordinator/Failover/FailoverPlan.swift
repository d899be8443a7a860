internal import SkeinCore
internal import SkeinMembership

/// Decides who takes the slices and shards of nodes that are lost (a pure value).
///
/// Everything is derived from `home`: the placement of the cluster file, with standbys in the
/// places that they have taken. What of it has no node is given, in this order,
///
/// 1. to nobody, where it is an expert shard of which other nodes hold copies,
/// 2. to a standby with room,
/// 3. once the node is overdue, to the other nodes as far as they have room: whole stages and
///    shards, or else the layers are cut again,
/// 4. and else everything waits for the node.
struct FailoverPlan: Sendable {
    /// What is known of a node.
    struct Member: Equatable, Sendable {
        /// It has come and is not lost.
        var isHere = false
        /// It was here and is gone.
        var isLost = false
        /// It failed again and again of late.
        var isKeptOut = false
        /// It could not load what the placement at hand gives it.
        var hasFailed = false
        /// It has been lost for so long that its slices may be spread.
        var isOverdue = false
        /// It has been here for some time.
        var isSteady = true
        /// Bytes of slices and shards that it has room for; `nil` where it does not say.
        var roomBytes: Int?

        /// Whether it has room to take a place; one that does not say is believed to have enough.
        func hasRoom(for bytes: Int) -> Bool { roomBytes.map { $0 >= bytes } ?? true }

        /// What of the placement may be given to others.
        var mayBeSpread: Bool { isOverdue || isKeptOut || hasFailed }
    }

    /// An answer: who holds what from now on.
    struct Arrangement: Equatable, Sendable {
        /// The placement of the file, with standbys where they stay.
        var home: SkeinMembership.Placement
        /// The placement to take up.
        var placement: SkeinMembership.Placement
        /// Standbys by the nodes whose places they take.
        var replaced: [String: String] = [:]
        /// Nodes without which it cannot run.
        var awaited: [String] = []
    }

    let bytes: PartBytes
    /// The placement of the file, with standbys in the places that they have taken.
    let home: SkeinMembership.Placement
    /// The placement at hand.
    let current: SkeinMembership.Placement
    /// All nodes of the cluster by name.
    let members: [String: Member]

    /// Whether the placement at hand cannot run as long as nothing changes.
    var isBroken: Bool {
        current.nodes.contains { member($0).isLost || member($0).hasFailed }
    }

    func member(_ name: String) -> Member { members[name] ?? Member() }

    /// What to do about a placement that is broken; `nil` where there is nothing but to wait.
    ///
    /// A node that fails again and again is counted on only where nobody else can serve.
    func relief() -> Arrangement? {
        guard isBroken else { return nil }
        let trusted = Set(members.keys.filter { trusts($0) })
        let found = arrangement(with: trusted)
        if found.awaited.isEmpty { return news(found) }
        // Streams that stand still lose more by waiting than by a node that may fail once more.
        let flapping = arrangement(with: namesHere { !$0.hasFailed })
        if flapping.awaited.isEmpty { return news(flapping) }
        if found.awaited.allSatisfy({ member($0).mayBeSpread }) {
            let merciful = arrangement(with: namesHere { _ in true })
            if merciful.awaited.isEmpty { return news(merciful) }
        }
        // Some places have standbys, others wait; a placement that was spread stays as it is.
        guard !found.replaced.isEmpty, current == home else { return nil }
        return news(found)
    }

    /// A better placement than one that runs: slices are back with the nodes of the file, or over
    /// more nodes; `nil` where there is none.
    func improvement() -> Arrangement? {
        guard current != home, current.nodes.allSatisfy({ member($0).isHere }), !isBroken else {
            return nil
        }
        let trusted = Set(
            members.keys.filter { name in
                trusts(name) && (current.nodes.contains(name) || member(name).isSteady)
            })
        let found = arrangement(with: trusted, fillsCopies: true)
        guard found.awaited.isEmpty else { return nil }
        let isWhole = found.placement == found.home
        guard isWhole || found.placement.nodes.count > current.nodes.count else { return nil }
        return news(found)
    }

    private func namesHere(where isWanted: (Member) -> Bool) -> Set<String> {
        Set(members.filter { $0.value.isHere && isWanted($0.value) }.keys)
    }

    private func trusts(_ name: String) -> Bool {
        let member = member(name)
        return member.isHere && !member.hasFailed
            && (!member.isKeptOut || current.nodes.contains(name))
    }

    private func news(_ found: Arrangement) -> Arrangement? {
        found.placement == current && found.home == home ? nil : found
    }

    /// Gives everything to nodes that may be counted on.
    ///
    /// - Parameter fillsCopies: whether standbys take shards of which there are copies.
    private func arrangement(
        with trusted: Set<String>, fillsCopies: Bool = false
    ) -> Arrangement {
        var found = Arrangement(home: home, placement: home)
        var rest = home.nodes.filter { !trusted.contains($0) }
        var free = trusted.subtracting(home.nodes).sorted()
        func fill(_ names: [String]) {
            for name in names where member(name).isLost || member(name).isHere {
                let needed = bytes.total(of: name, in: home)
                let place = free.firstIndex { member($0).hasRoom(for: needed) }
                guard let place else { continue }
                found.replaced[name] = free.remove(at: place)
            }
            rest.removeAll { found.replaced[$0] != nil }
        }
        func hasCopies(_ name: String) -> Bool {
            home.stages(of: name).isEmpty
                && home.holdsCopies(of: home.shard(of: name), on: trusted)
        }
        fill(rest.filter { !hasCopies($0) })
        if fillsCopies { fill(rest) }
        found.home = home.replacing(found.replaced)
        let idle = Set(rest.filter(hasCopies))
        found.placement = found.home.moving(
            [:], expertHosts: found.home.expertHosts.filter { !idle.contains($0.node) })
        rest.removeAll(where: idle.contains)
        found.awaited = rest
        guard !rest.isEmpty, rest.allSatisfy({ member($0).mayBeSpread }) else { return found }
        let spread = SliceSpread(
            bytes: bytes, placement: found.placement, lost: rest,
            rooms: rooms(of: trusted, in: found.home))
        if let placement = spread.result() {
            found.placement = placement
            found.awaited = []
        }
        return found
    }

    /// Bytes that each node may hold where slices are spread: never less than what it has in any
    /// case, and no more where it does not say what it has.
    private func rooms(
        of names: Set<String>, in home: SkeinMembership.Placement
    ) -> [String: Int] {
        var rooms: [String: Int] = [:]
        for name in names {
            let own = bytes.total(of: name, in: home)
            let room = (member(name).roomBytes ?? 0) - Limits.memoryHeadroomBytesMin
            rooms[name] = max(own, room)
        }
        return rooms
    }
}
