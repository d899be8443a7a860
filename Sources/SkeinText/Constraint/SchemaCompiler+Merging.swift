import SkeinCore

// Schemas that all must be fulfilled, joined into one.
extension SchemaCompiler {
    /// One schema for the values that fulfil all of several; none of them has `$ref` or `allOf`.
    ///
    /// What cannot be joined is refused.
    func merged(_ pieces: [Located], at path: String) throws(Refusal) -> JSONValue {
        var joined: [JSONValue.Member] = []
        for piece in pieces {
            guard piece.schema != .bool(true) else { continue }
            guard piece.schema.members != nil else {
                throw Refusal(piece.path, "found \(piece.schema.summary), expected a schema")
            }
            try checkProperties(.object(joined), piece)
            try checkItems(.object(joined), piece)
            for name in Self.constraints(of: piece.schema) {
                guard let value = piece.schema[name] else { continue }
                guard let place = joined.firstIndex(where: { $0.name == name }) else {
                    joined.append(.init(name, value))
                    continue
                }
                guard joined[place].value != value else { continue }
                joined[place].value = try merged(
                    joined[place].value, value, name, at: piece.at(name))
            }
        }
        return .object(joined)
    }

    /// Names that one piece declares and another forbids would need both to be known at once.
    private func checkProperties(_ joined: JSONValue, _ piece: Located) throws(Refusal) {
        for (one, other) in [(joined, piece.schema), (piece.schema, joined)] {
            guard let rule = one["additionalProperties"], rule != .bool(true) else { continue }
            let known = Set((one["properties"]?.members ?? []).map(\.name))
            let names = (other["properties"]?.members ?? []).map(\.name)
            guard names.allSatisfy(known.contains) else {
                throw Refusal(
                    piece.path,
                    "is joined with properties that additionalProperties of another part forbids")
            }
        }
    }

    /// `items` is of all elements where no `prefixItems` stands beside it, and joined with another
    /// part's it would be of the others only.
    private func checkItems(_ joined: JSONValue, _ piece: Located) throws(Refusal) {
        for (one, other) in [(joined, piece.schema), (piece.schema, joined)] {
            guard let rule = one["items"], rule != .bool(true), one["prefixItems"] == nil,
                other["prefixItems"] != nil
            else { continue }
            throw Refusal(piece.path, "joins items of one part with prefixItems of another")
        }
    }

    private func merged(
        _ one: JSONValue, _ other: JSONValue, _ name: String, at path: String
    ) throws(Refusal) -> JSONValue {
        switch name {
        case "type":
            let (left, right) = (Self.kindNames(one), Self.kindNames(other))
            var both = left.filter { right.contains($0) }
            let isWhole = left.contains("integer") || right.contains("integer")
            if isWhole, !both.contains("number"), !both.contains("integer"),
                left.contains("number") || right.contains("number")
            {
                both.append("integer")
            }
            return .array(both.map { .string($0) })
        case "required":
            return .array((one.array ?? []) + (other.array ?? []))
        case "enum":
            return .array((one.array ?? []).filter { (other.array ?? []).contains($0) })
        case "properties":
            var members = one.members ?? []
            for member in other.members ?? [] {
                if let place = members.firstIndex(where: { $0.name == member.name }) {
                    members[place].value = Self.all(members[place].value, member.value)
                } else {
                    members.append(member)
                }
            }
            return .object(members)
        case "items": return Self.all(one, other)
        case "additionalProperties":
            if one == .bool(true) { return other }
            return other == .bool(true) ? one : Self.all(one, other)
        case "uniqueItems": return .bool(one == .bool(true) || other == .bool(true))
        case "minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum":
            return (one.double ?? 0) >= (other.double ?? 0) ? one : other
        case "maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum":
            return (one.double ?? 0) <= (other.double ?? 0) ? one : other
        default:
            throw Refusal(path, "cannot be joined with the same keyword of another part")
        }
    }

    private static func kindNames(_ type: JSONValue) -> [String] {
        (type.array ?? [type]).compactMap(\.string)
    }

    private static func all(_ one: JSONValue, _ other: JSONValue) -> JSONValue {
        if one == .bool(false) || other == .bool(false) { return .bool(false) }
        if one == .bool(true) { return other }
        if other == .bool(true) { return one }
        return one == other ? one : .object([.init("allOf", .array([one, other]))])
    }
}

/// Whether a value may fulfil two schemas at once, as far as their outsides tell.
enum SchemaOverlap {
    /// The first two schemas that are not certain to exclude each other.
    static func firstPair(of schemas: [JSONValue]) -> (Int, Int)? {
        for (right, one) in schemas.enumerated() {
            for (left, other) in schemas[..<right].enumerated() where !exclude(one, other, depth: 0)
            {
                return (left, right)
            }
        }
        return nil
    }

    private static func exclude(_ one: JSONValue, _ other: JSONValue, depth: Int) -> Bool {
        guard depth < 4 else { return false }
        if let left = values(of: one), let right = values(of: other) {
            return !left.contains { value in right.contains { sameValue($0, value) } }
        }
        let (left, right) = (kinds(of: one), kinds(of: other))
        if left.isDisjoint(with: right) { return true }
        guard left == [.object], right == [.object] else { return false }
        // Objects exclude each other where a member that both need does.
        let names = Set((one["required"]?.array ?? []).compactMap(\.string))
            .intersection((other["required"]?.array ?? []).compactMap(\.string))
        return names.contains { name in
            guard let inner = one["properties"]?[name], let otherInner = other["properties"]?[name]
            else { return false }
            return exclude(inner, otherInner, depth: depth + 1)
        }
    }

    private static func values(of schema: JSONValue) -> [JSONValue]? {
        schema["const"].map { [$0] } ?? schema["enum"]?.array
    }

    /// Numbers may be spelt in several ways.
    private static func sameValue(_ one: JSONValue, _ other: JSONValue) -> Bool {
        if let left = one.double, let right = other.double { return left == right }
        let isPlain = one.members == nil && one.array == nil
        // Lists and objects with numbers in them are not looked into.
        return isPlain ? one == other : one.kinds == other.kinds
    }

    private static func kinds(of schema: JSONValue) -> Set<JSONKind> {
        if let values = values(of: schema) {
            return values.reduce(into: []) { $0.formUnion($1.kinds) }
        }
        guard let type = schema["type"] else { return Set(JSONKind.allCases) }
        var kinds = Set((type.array ?? [type]).compactMap(\.string).compactMap(JSONKind.init))
        if kinds.contains(.number) { kinds.insert(.integer) }
        // A number that is whole is of both kinds.
        if kinds.contains(.integer) { kinds.insert(.number) }
        return kinds
    }
}
