import Foundation
import SkeinCore

/// The nodes of a cluster file, and the rules that hold between them.
struct ClusterNodes {
    /// The nodes, in ring order.
    let values: [Topology.Node]

    private let fields: [ClusterFields]

    /// Reads the list of nodes.
    init(_ file: ClusterFields, placement: PlacementKind, folder: URL) throws(Refusal) {
        fields = try file.list(
            "nodes", countMax: Limits.nodesMax,
            allowed: [
                "name", "address", "public_key", "layers", "experts", "threads", "model", "standby",
            ])
        var nodes: [Topology.Node] = []
        for field in fields {
            nodes.append(
                Topology.Node(
                    name: try field.name("name"),
                    address: try field.nodeAddress("address"),
                    publicKey: try field.optionalKey("public_key"),
                    layerRanges: try Self.layerRanges(field, placement: placement),
                    shard: try Self.shard(field),
                    threadCount: try field.optionalNumber("threads", 1...Limits.threadsMax),
                    modelPath: try field.optionalText("model").map {
                        ClusterFile.absolute($0, in: folder)
                    }, isStandby: try Self.standsBy(field)))
        }
        values = nodes
        try checkNames()
        try checkLayers(placement)
    }

    /// Refuses two peers at one address, and a mixture of loopback and other addresses.
    func checkAddresses(coordinator: ClusterFields) throws(Refusal) {
        let home = try coordinator.address("address")
        var taken = [home: "the coordinator"]
        for (node, field) in zip(values, fields) {
            if node.address.port != nil,
                let other = taken.updateValue("node \(node.name)", forKey: node.address)
            {
                throw field.refusal(
                    "address", "found \(node.address), which is \(other)'s, expected one of its own"
                )
            }
            guard node.address.isLoopback == home.isLoopback else {
                let kind = home.isLoopback ? "a loopback address" : "no loopback address"
                throw field.refusal(
                    "address",
                    "found \(node.address), expected \(kind) as for the coordinator, "
                        + "or they cannot reach each other")
            }
        }
        if let http = try coordinator.optionalHTTPAddress("http"), let other = taken[http] {
            throw coordinator.refusal(
                "http", "found \(http.hostAndPort), which is \(other)'s, expected another port")
        }
    }

    /// Every peer has a key of its own, or, where every address is loopback, none has.
    func checkKeys(coordinator: ClusterFields, hasKeysFolder: Bool) throws(Refusal) {
        let home = try coordinator.address("address")
        let homeKey = try coordinator.optionalKey("public_key")
        let needsKeys =
            hasKeysFolder || !home.isLoopback || homeKey != nil
            || values.contains { $0.publicKey != nil }
        guard needsKeys else { return }
        let reason = home.isLoopback ? "since others have one" : "since the address is not loopback"
        guard let homeKey else {
            throw coordinator.refusal("public_key", "found nothing, expected a key, \(reason)")
        }
        guard hasKeysFolder else {
            throw coordinator.refusal(
                "public_key",
                "found a key, but the file names no folder of secret keys, expected 'keys: FOLDER'")
        }
        var taken = [homeKey: "the coordinator"]
        for (node, field) in zip(values, fields) {
            guard let key = node.publicKey else {
                throw field.refusal("public_key", "found nothing, expected a key, \(reason)")
            }
            if let other = taken.updateValue("node \(node.name)", forKey: key) {
                throw field.refusal(
                    "public_key", "found the key of \(other), expected one of its own")
            }
        }
    }

    // MARK: Rooms

    private func checkNames() throws(Refusal) {
        var taken: Set<String> = []
        for (node, field) in zip(values, fields) {
            guard node.name != "coordinator" else {
                throw field.refusal("name", "found 'coordinator', expected another name")
            }
            guard taken.insert(node.name).inserted else {
                throw field.refusal(
                    "name", "found '\(node.name)' a second time, expected a name of its own")
            }
        }
    }

    private static func layerRanges(
        _ field: ClusterFields, placement: PlacementKind
    ) throws(Refusal) -> [Range<Int>] {
        guard field.has("layers") else { return [] }
        let wantedCount = placement == .linear ? 1 : 2
        let texts = try field.texts("layers", countMax: wantedCount)
        guard texts.count == wantedCount else {
            let wanted = placement == .linear ? "one range" : "a list of two ranges"
            let found = texts.count > wantedCount ? "more than \(wantedCount)" : "\(texts.count)"
            throw field.refusal(
                "layers", "found \(found), expected \(wanted) for placement \(placement.rawValue)")
        }
        var ranges: [Range<Int>] = []
        for text in texts { ranges.append(try layerRange(text, field)) }
        return ranges
    }

    private static func layerRange(
        _ text: String, _ field: ClusterFields
    ) throws(Refusal) -> Range<Int> {
        try range(text, of: "layers", countMax: Limits.layersMax, field)
    }

    /// `FIRST-LAST`, both included, or one number.
    private static func range(
        _ text: String, of name: String, countMax: Int, _ field: ClusterFields
    ) throws(Refusal) -> Range<Int> {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
            .map { ClusterFields.decimal($0) }
        guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil,
            first <= last, last < countMax
        else {
            throw field.refusal(
                name, "found '\(text)', expected FIRST-LAST, both from 0 to \(countMax - 1)")
        }
        return first..<(last + 1)
    }

    /// The experts that a node holds; whether the model has them is found when it is opened.
    private static func shard(_ field: ClusterFields) throws(Refusal) -> [ShardPart] {
        guard field.has("experts") else { return [] }
        let entries = try field.list(
            "experts", countMax: Limits.shardPartsMax, allowed: ["layers", "experts"])
        var shard: [ShardPart] = []
        for entry in entries {
            let part = ShardPart(
                layers: try layerRange(try entry.text("layers"), entry),
                experts: try range(
                    try entry.text("experts"), of: "experts", countMax: Limits.expertsMax, entry))
            for other in shard
            where other.layers.overlaps(part.layers) && other.experts.overlaps(part.experts) {
                let layer = max(other.layers.lowerBound, part.layers.lowerBound)
                let expert = max(other.experts.lowerBound, part.experts.lowerBound)
                throw entry.refusal(
                    "experts",
                    "found expert \(expert) of layer \(layer) a second time, expected each once")
            }
            shard.append(part)
        }
        return shard
    }

    /// A standby names nothing that it holds: that is what a lost node held.
    private static func standsBy(_ field: ClusterFields) throws(Refusal) -> Bool {
        guard field.has("standby"), try field.choice("standby", Answer.self) == .yes else {
            return false
        }
        for held in ["layers", "experts"] where field.has(held) {
            throw field.refusal(
                held, "found something, expected nothing: a standby holds what a lost node held")
        }
        return true
    }

    private enum Answer: String, CaseIterable {
        case yes = "true"
        case no = "false"
    }

    /// The layers of the ring follow each other without a gap, from layer 0 on.
    ///
    /// A node with experts and no layers is none of the ring's.
    private func checkLayers(_ placement: PlacementKind) throws(Refusal) {
        let ring = values.indices.filter { values[$0].isInRing }
        guard !ring.isEmpty else {
            throw fields[0].refusal(
                "layers",
                "found nothing, expected a range, since all nodes hold experts alone or stand by")
        }
        guard let first = ring.first(where: { !values[$0].layerRanges.isEmpty }) else { return }
        if let bare = ring.first(where: { values[$0].layerRanges.isEmpty }) {
            throw fields[bare].refusal(
                "layers",
                "found nothing, expected a range, since node \(values[first].name) has one, or "
                    + "experts")
        }
        var end = 0
        for stage in 0..<placement.stageCount(nodeCount: ring.count) {
            let index = ring[placement.node(of: StageIndex(stage), nodeCount: ring.count)]
            let range = values[index].layerRanges[stage < ring.count ? 0 : 1]
            guard range.lowerBound == end else {
                throw fields[index].refusal(
                    "layers",
                    "found \(range.lowerBound)-\(range.upperBound - 1), "
                        + "expected a range that begins with layer \(end), as stage \(stage)")
            }
            end = range.upperBound
        }
    }
}
