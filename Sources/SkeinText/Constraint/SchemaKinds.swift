import SkeinCore

/// Tells which kinds of value a schema allows, where no more than that is asked.
///
/// It knows references, alternatives and lists of types; what it does not know allows anything.
struct SchemaKinds {
    private static let all = Set(JSONKind.allCases)

    /// The schema in which references are looked up.
    let root: JSONValue

    /// The kinds that a member of an object may be.
    func ofMember(_ name: String) -> Set<JSONKind> {
        var object = root
        for _ in 0..<Self.depthMax {
            guard object["properties"] == nil, let next = target(of: object) else { break }
            object = next
        }
        let member = object["properties"]?[name] ?? object["additionalProperties"]
        return member.map { kinds(of: $0) } ?? Self.all
    }

    /// The kinds of a schema's values.
    func kinds(of schema: JSONValue) -> Set<JSONKind> {
        var schemasLeft = Limits.constraintSchemasMax
        return kinds(of: schema, depth: 0, &schemasLeft)
    }

    private static let depthMax = 16

    private func kinds(
        of schema: JSONValue, depth: Int, _ schemasLeft: inout Int
    ) -> Set<JSONKind> {
        schemasLeft -= 1
        guard depth < Self.depthMax, schemasLeft > 0, schema.members != nil else { return Self.all }
        var kinds = Self.all
        if let target = target(of: schema) {
            kinds.formIntersection(self.kinds(of: target, depth: depth + 1, &schemasLeft))
        }
        if let type = schema["type"] {
            var named = Set(
                (type.array ?? [type]).compactMap { $0.string.flatMap(JSONKind.init) })
            if named.contains(.number) { named.insert(.integer) }
            if schema["nullable"]?.bool == true { named.insert(.null) }
            if !named.isEmpty { kinds.formIntersection(named) }
        }
        for name in ["anyOf", "oneOf"] {
            guard let alternatives = schema[name]?.array else { continue }
            var either: Set<JSONKind> = []
            for alternative in alternatives {
                either.formUnion(self.kinds(of: alternative, depth: depth + 1, &schemasLeft))
            }
            kinds.formIntersection(either)
        }
        for piece in schema["allOf"]?.array ?? [] {
            kinds.formIntersection(self.kinds(of: piece, depth: depth + 1, &schemasLeft))
        }
        if let values = schema["enum"]?.array ?? schema["const"].map({ [$0] }) {
            kinds.formIntersection(values.flatMap(\.kinds))
        }
        return kinds
    }

    private func target(of schema: JSONValue) -> JSONValue? {
        guard let pointer = schema["$ref"]?.string.flatMap(JSONPointer.init(fragment:)) else {
            return nil
        }
        return pointer.steps.reduce(root) { value, step in value?.element(at: step) }
    }
}
