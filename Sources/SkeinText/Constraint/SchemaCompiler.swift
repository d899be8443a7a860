import SkeinCore

/// Turns a JSON schema into places of a grammar.
///
/// The grammar's values all fulfil the schema; it need not have every value that does. Members come
/// in the order of `properties`, numbers have a largest length, and between tokens stands at most a
/// space or a line end with an indentation. What a schema says and this cannot keep is refused with
/// the way to the keyword, for a client must be able to rely on the rest.
struct SchemaCompiler {
    typealias Index = GrammarBuilder.Index

    /// A schema and the way to it.
    struct Located {
        var schema: JSONValue
        var path: String

        func at(_ name: String) -> String { "\(path).\(name)" }
    }

    let root: Located
    var builder: GrammarBuilder
    private var parts: [String: Index] = [:]
    private var depth = 0
    private var schemaCount = 0

    /// - Parameter path: How refusals name the schema.
    init(_ schema: JSONValue, path: String, into builder: GrammarBuilder) {
        root = Located(schema: schema, path: path)
        self.builder = builder
    }

    /// The part of values that fulfil the whole schema.
    mutating func part() throws(Refusal) -> Index { try part(root) }

    /// The part of values that fulfil a schema; it is built once.
    mutating func part(_ located: Located) throws(Refusal) -> Index {
        if located.schema == .bool(true) { return builder.anyValue }
        if let part = parts[located.path] { return part }
        let place = builder.reserve()
        parts[located.path] = place
        let meaning = try value(located)
        builder.define(place, meaning)
        return place
    }

    /// The part of values that fulfil a schema.
    mutating func value(_ located: Located) throws(Refusal) -> Index {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Limits.constraintDepthMax else {
            throw Refusal(located.path, "is nested more than \(Limits.constraintDepthMax) deep")
        }
        schemaCount += 1
        guard !builder.isFull, schemaCount <= Limits.constraintSchemasMax else {
            throw Refusal(located.path, "the schema is too large for this server")
        }
        switch located.schema {
        case .bool(true): return builder.anyValue
        case .bool(false): throw Refusal(located.path, "no value fulfils false")
        case .object: break
        default:
            throw Refusal(located.path, "found \(located.schema.summary), expected a schema")
        }
        try Self.checkNames(located)
        if let reference = located.schema["$ref"], Self.constraints(of: located.schema).count == 1 {
            return try part(try target(reference, at: located.at("$ref")))
        }
        let flat = try flattened(located)
        for name in ["anyOf", "oneOf"] {
            if let alternatives = flat.schema[name] {
                return try union(alternatives, name, of: flat)
            }
        }
        if flat.schema["enum"] != nil || flat.schema["const"] != nil {
            return try listed(flat)
        }
        let kinds = try kinds(of: flat)
        if kinds == Set(JSONKind.allCases), Self.constraints(of: flat.schema).isEmpty {
            return builder.anyValue
        }
        var places: [Index] = []
        for kind in JSONKind.allCases where kinds.contains(kind) {
            places.append(try value(of: kind, flat))
        }
        return builder.either(places)
    }

    private mutating func value(
        of kind: JSONKind, _ located: Located
    ) throws(Refusal) -> Index {
        switch kind {
        case .object: try object(located)
        case .array: try array(located)
        case .string: try string(located)
        case .number, .integer: try number(located, isWhole: kind == .integer)
        case .boolean:
            builder.oneOf(["true", "false"].map { Array($0.utf8) }, then: GrammarBuilder.end)
        case .null: builder.literal("null", then: GrammarBuilder.end)
        }
    }

    /// The values of `enum` and `const`, each in one spelling.
    private mutating func listed(_ located: Located) throws(Refusal) -> Index {
        builder.oneOf(
            try listedValues(located).map { Array($0.pythonText.utf8) }, then: GrammarBuilder.end)
    }

    /// The values that `enum` and `const` leave.
    func listedValues(_ located: Located) throws(Refusal) -> [JSONValue] {
        let schema = located.schema
        let beside = Self.constraints(of: schema).filter {
            !["enum", "const", "type"].contains($0)
        }
        if let name = beside.first {
            throw Refusal(located.at(name), "is not known beside enum or const")
        }
        var values: [JSONValue] = []
        if let list = schema["enum"] {
            guard let elements = list.array, !elements.isEmpty else {
                throw Refusal(
                    located.at("enum"), "found \(list.summary), expected a list of values")
            }
            values = elements
        }
        if let constant = schema["const"] {
            values = schema["enum"] == nil || values.contains(constant) ? [constant] : []
        }
        if schema["type"] != nil {
            let kinds = try kinds(of: located)
            values = values.filter { !$0.kinds.isDisjoint(with: kinds) }
        }
        guard !values.isEmpty else { throw Refusal(located.path, "no value fulfils it") }
        return values
    }

    /// One of several schemas, joined with what stands beside them.
    private mutating func union(
        _ alternatives: JSONValue, _ name: String, of located: Located
    ) throws(Refusal) -> Index {
        guard let elements = alternatives.array, !elements.isEmpty else {
            throw Refusal(
                located.at(name), "found \(alternatives.summary), expected a list of schemas")
        }
        let rest = located.schema.without([name])
        let isPlain = Self.constraints(of: rest).isEmpty
        var places: [Index] = []
        var flats: [JSONValue] = []
        for (index, element) in elements.enumerated() {
            var alternative = Located(
                schema: element, path: "\(located.at(name))[\(index)]")
            if name == "oneOf" { flats.append(try flattened(alternative).schema) }
            if !isPlain {
                // Joining keeps what is known, and would drop the rest without a word.
                try Self.checkNames(alternative)
                alternative.schema = try merged(
                    [Located(schema: rest, path: located.path), alternative],
                    at: alternative.path)
            }
            places.append(try value(alternative))
        }
        if name == "oneOf", let pair = SchemaOverlap.firstPair(of: flats) {
            throw Refusal(
                "\(located.at(name))[\(pair.1)]",
                "a value may fulfil it and alternative \(pair.0) at once; use anyOf, or give both "
                    + "a required property with different const values")
        }
        return builder.either(places)
    }
}

extension SchemaCompiler {
    /// The schema that a `$ref` names.
    func target(_ reference: JSONValue, at path: String) throws(Refusal) -> Located {
        guard let text = reference.string, let pointer = JSONPointer(fragment: text)
        else {
            throw Refusal(path, "found \(reference.summary), expected \"#\" or \"#/…\"")
        }
        var found = root
        for step in pointer.steps {
            guard let schema = found.schema.element(at: step) else {
                throw Refusal(path, "'\(text)' leads to nothing")
            }
            let isPlace = found.schema.array != nil
            found = Located(
                schema: schema, path: isPlace ? "\(found.path)[\(step)]" : found.at(step))
        }
        return found
    }

    /// The schema without `$ref` and `allOf`: joined with what they stand for.
    mutating func flattened(_ located: Located, depth: Int = 0) throws(Refusal) -> Located {
        schemaCount += 1
        guard depth <= 16, schemaCount <= Limits.constraintSchemasMax else {
            throw Refusal(located.path, "has $ref and allOf more than 16 deep")
        }
        try Self.checkNames(located)
        let schema = located.schema
        guard schema["$ref"] != nil || schema["allOf"] != nil else { return located }
        var pieces: [Located] = []
        if let reference = schema["$ref"] {
            pieces.append(
                try flattened(try target(reference, at: located.at("$ref")), depth: depth + 1))
        }
        if let list = schema["allOf"] {
            guard let elements = list.array, !elements.isEmpty else {
                throw Refusal(
                    located.at("allOf"), "found \(list.summary), expected a list of schemas")
            }
            for (index, element) in elements.enumerated() {
                let piece = Located(schema: element, path: "\(located.at("allOf"))[\(index)]")
                pieces.append(try flattened(piece, depth: depth + 1))
            }
        }
        let rest = schema.without(["$ref", "allOf"])
        if !Self.constraints(of: rest).isEmpty {
            pieces.append(Located(schema: rest, path: located.path))
        }
        if pieces.count == 1 { return pieces[0] }
        return Located(schema: try merged(pieces, at: located.path), path: located.path)
    }

    /// Refuses keywords that are not kept.
    static func checkNames(_ located: Located) throws(Refusal) {
        for member in located.schema.members ?? [] {
            let isKnown =
                known.contains(member.name) || annotations.contains(member.name)
                || member.name.hasPrefix("x-")
            guard isKnown else {
                throw Refusal(
                    located.at(member.name), "is no keyword that this server can keep to")
            }
        }
    }

    /// The keywords of a schema that are no annotations.
    static func constraints(of schema: JSONValue) -> [String] {
        (schema.members ?? []).map(\.name).filter { known.contains($0) }
    }

    /// What changes which values fulfil a schema.
    private static let known: Set<String> = [
        "$ref", "allOf", "anyOf", "oneOf", "enum", "const", "type", "properties", "required",
        "additionalProperties", "minProperties", "maxProperties", "items", "prefixItems",
        "minItems", "maxItems", "uniqueItems", "minLength", "maxLength", "pattern", "format",
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    ]

    /// What does not.
    private static let annotations: Set<String> = [
        "$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default",
        "example", "examples", "deprecated", "readOnly", "writeOnly", "discriminator",
    ]
}

/// What a JSON value is.
enum JSONKind: String, CaseIterable {
    case object, array, string, number, integer, boolean, null
}

extension JSONValue {
    /// An object without these names.
    func without(_ names: Set<String>) -> JSONValue {
        .object((members ?? []).filter { !names.contains($0.name) })
    }

    /// What the value is; a whole number is a number too.
    var kinds: Set<JSONKind> {
        switch self {
        case .null: [.null]
        case .bool: [.boolean]
        case .number:
            double.map { $0 == $0.rounded() } == true ? [.number, .integer] : [.number]
        case .string: [.string]
        case .array: [.array]
        case .object: [.object]
        }
    }
}
