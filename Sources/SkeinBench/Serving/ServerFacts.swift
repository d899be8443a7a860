import SkeinCore

/// What the server tells of itself at one time, where it is Skein (`/v1/cluster`).
///
/// Everything may be absent: another server has no such path, an older Skein has fewer fields.
struct ServerFacts: Equatable, Sendable {
    /// One stage.
    struct Stage: Equatable, Sendable {
        let index: Int
        let node: String
        let busySeconds: Double
    }

    private(set) var name: String?
    private(set) var placement: String?
    private(set) var stages: [Stage] = []
    private(set) var pageCount: Int?
    private(set) var ownedPageCount: Int?
    private(set) var cachedTokenCount: Int?
    private(set) var promptTokenCount: Int?

    /// Reads the answer of `/v1/cluster`.
    init(_ value: JSONValue) {
        let fields = value.fields ?? [:]
        name = fields["name"]?.string
        placement = fields["placement"]?.string
        for node in fields["nodes"]?.array ?? [] {
            for stage in node.fields?["stages"]?.array ?? [] {
                guard let index = stage.fields?["index"]?.count,
                    let busy = stage.fields?["busy_seconds"]?.double
                else { continue }
                stages.append(
                    Stage(
                        index: index, node: node.fields?["name"]?.string ?? "", busySeconds: busy))
            }
        }
        stages.sort { $0.index < $1.index }
        pageCount = fields["pages"]?.fields?["total"]?.count
        ownedPageCount = fields["pages"]?.fields?["owned"]?.count
        cachedTokenCount = fields["prefix_cache"]?.fields?["cached_tokens"]?.count
        promptTokenCount = fields["prefix_cache"]?.fields?["prompt_tokens"]?.count
    }
}

/// What happened on the server between two times.
struct ServerChange: Equatable, Sendable {
    let before: ServerFacts
    let after: ServerFacts
    /// The time between the two.
    let duration: Duration

    /// The share of the time that a stage computed; `nil` where it does not tell, or where it began
    /// again in between.
    func busyShare(of index: Int) -> Double? {
        guard let earlier = before.stages.first(where: { $0.index == index }),
            let later = after.stages.first(where: { $0.index == index }),
            later.busySeconds >= earlier.busySeconds, duration > .zero
        else { return nil }
        return (later.busySeconds - earlier.busySeconds) / (duration / .seconds(1))
    }

    /// The share of prompt tokens that were in the prefix cache, where the server tells.
    var prefixHitShare: Double? {
        guard let cachedBefore = before.cachedTokenCount, let cachedAfter = after.cachedTokenCount,
            let promptBefore = before.promptTokenCount, let promptAfter = after.promptTokenCount,
            promptAfter > promptBefore, cachedAfter >= cachedBefore
        else { return nil }
        return Double(cachedAfter - cachedBefore) / Double(promptAfter - promptBefore)
    }

    /// For programs.
    var json: JSONValue {
        var fields: [String: JSONValue] = [
            "stages": .array(
                after.stages.map { stage in
                    .object([
                        "index": .integer(stage.index), "node": .string(stage.node),
                        "busy_share": busyShare(of: stage.index).map { .measured($0) } ?? .null,
                    ])
                })
        ]
        fields["name"] = after.name.map { .string($0) }
        fields["placement"] = after.placement.map { .string($0) }
        fields["pages_total"] = after.pageCount.map { .integer($0) }
        fields["pages_owned_after"] = after.ownedPageCount.map { .integer($0) }
        fields["prefix_cache_hit_share"] = prefixHitShare.map { .measured($0) }
        return .object(fields)
    }
}
