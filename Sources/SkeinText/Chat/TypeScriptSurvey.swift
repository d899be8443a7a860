import SkeinCore

/// What the schema of a function refers to, and whether all of it has words in TypeScript.
///
/// The vendor's own encoder gives up where it meets anything else, and tells all tools as JSON.
struct TypeScriptSurvey {
    /// Nesting beyond this is `any`.
    static let depthMax = 64

    /// Types that can stand in a list of types.
    static let names = [
        "string": "string", "number": "number", "integer": "number", "boolean": "boolean",
        "null": "null", "object": "{}", "array": "Array<any>",
    ]

    /// The definitions met so far, which references may name.
    private(set) var definitions: [JSONValue.Member] = []
    private var places: [[UInt8]: Int] = [:]

    /// Whether a schema met so far is the whole one again.
    private(set) var refersToWhole = false

    /// Whether a schema has words in TypeScript.
    mutating func hasWords(for schema: JSONValue, depth: Int) -> Bool {
        guard depth < Self.depthMax, schema.bool == nil else { return true }
        guard let members = schema.members else { return false }
        if let reference = schema["$ref"] { return isKnown(reference) }
        if let types = schema["anyOf"] {
            return types.array.map { hasWords(forAll: $0, depth: depth) } ?? false
        }
        if let values = schema["enum"] {
            return values.array.map { Self.areAll($0, of: schema["type"]) } ?? false
        }
        switch schema["type"] {
        case .array(let types)?: return types.allSatisfy { Self.names[$0.string ?? ""] != nil }
        case .string("object")?: return hasWords(forObject: schema, depth: depth)
        case .string("array")?:
            guard let items = schema["items"], items.isTrueInPython else { return true }
            return hasWords(for: items, depth: depth + 1)
        case .string?: return true
        default: return members.isEmpty
        }
    }

    private mutating func hasWords(forAll schemas: [JSONValue], depth: Int) -> Bool {
        for schema in schemas where !hasWords(for: schema, depth: depth + 1) { return false }
        return true
    }

    private mutating func hasWords(forObject schema: JSONValue, depth: Int) -> Bool {
        for definition in schema["$defs"]?.members ?? [] {
            let name = Array(definition.name.utf8)
            if let place = places[name] {
                definitions[place].value = definition.value
            } else {
                places[name] = definitions.count
                definitions.append(definition)
            }
        }
        let properties = schema["properties"]
        guard properties == nil || properties?.members != nil else { return false }
        let others = schema["additionalProperties"].map { $0 == .null ? [] : [$0] } ?? []
        return hasWords(forAll: others, depth: depth)
            && hasWords(forAll: properties?.members?.map(\.value) ?? [], depth: depth)
    }

    private mutating func isKnown(_ reference: JSONValue) -> Bool {
        guard let place = reference.string else { return false }
        if place == "#" {
            refersToWhole = true
            return true
        }
        let name = place.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return place.hasPrefix("#/$defs/") && name.last.flatMap { places[Array($0)] } != nil
    }

    /// Whether values are of the type that is named beside them; a list may name one, and `null`.
    private static func areAll(_ values: [JSONValue], of type: JSONValue?) -> Bool {
        var names = type?.array ?? type.map { [$0] } ?? []
        if names.count == 2 {
            guard let place = names.firstIndex(of: .string("null")) else { return false }
            names.remove(at: place)
        }
        guard names.count <= 1 else { return false }
        guard let name = names.first?.string else { return true }
        return values.allSatisfy { value in
            switch (name, value) {
            case (_, .null): true
            case ("string", _): value.string != nil
            case ("number", _): value.double != nil || value.bool != nil
            case ("integer", .number(let digits)): !digits.contains { ".eE".contains($0) }
            case ("integer", _): value.bool != nil
            case ("boolean", _): value.bool != nil
            default: true
            }
        }
    }
}

extension JSONValue {
    /// Whether Python takes the value for true.
    var isTrueInPython: Bool {
        switch self {
        case .null: false
        case .bool(let truth): truth
        case .number: double != 0
        case .string(let text): !text.isEmpty
        case .array(let elements): !elements.isEmpty
        case .object(let members): !members.isEmpty
        }
    }
}
