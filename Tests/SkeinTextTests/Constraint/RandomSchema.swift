import SkeinCore
import SkeinText

/// Makes schemas by chance, of everything that constraints can keep to.
struct RandomSchema {
    private var chance: Chance

    init(seed: UInt64) { chance = Chance(seed: seed) }

    /// A schema with two definitions, which may be recursive.
    mutating func schema() -> JSONValue {
        guard case .object(let members) = value(depth: 0) else { return .object([]) }
        let definitions = JSONValue.object([
            .init("a", value(depth: 2)), .init("b", recursive()),
        ])
        return .object(members + [.init("$defs", definitions)])
    }

    private mutating func value(depth: Int) -> JSONValue {
        switch chance.next(below: depth > 2 ? 6 : 11) {
        case 0: return text()
        case 1, 2: return number()
        case 3: return .object([.init("type", .string("boolean"))])
        case 4: return listed()
        case 5: return .object([.init("type", .array([.string("integer"), .string("null")]))])
        case 6, 7: return object(depth)
        case 8: return array(depth)
        case 9:
            let name = chance.next(below: 2) == 0 ? "a" : "b"
            return depth == 2
                ? .object([]) : .object([.init("$ref", .string("#/$defs/\(name)"))])
        default:
            return .object([
                .init("anyOf", .array([value(depth: depth + 1), value(depth: depth + 1)]))
            ])
        }
    }

    private func recursive() -> JSONValue {
        let reference = JSONValue.object([.init("$ref", .string("#/$defs/b"))])
        let null = JSONValue.object([.init("type", .string("null"))])
        return .object([
            .init("type", .string("object")),
            .init(
                "properties",
                .object([
                    .init("value", .object([.init("type", .string("integer"))])),
                    .init("next", .object([.init("anyOf", .array([null, reference]))])),
                    .init(
                        "all",
                        .object([.init("type", .string("array")), .init("items", reference)])),
                ])),
            .init("required", .array([.string("next")])),
        ])
    }

    private mutating func text() -> JSONValue {
        var members: [JSONValue.Member] = [.init("type", .string("string"))]
        switch chance.next(below: 5) {
        case 0:
            let least = chance.next(below: 6)
            members.append(.init("minLength", .number("\(least)")))
            members.append(.init("maxLength", .number("\(least + chance.next(below: 12))")))
        case 1:
            let patterns = [
                "^[a-z]+$", "^(ab|c\\d{1,3})*$", "x.y", "^\\w+@\\w+\\.com$", "[^\\d\\s]{2}$",
                "^\"?\\\\[é-ü]{2,9}$", "^(a|bc)?[^a-c]\\W\\S?$",
            ]
            members.append(.init("pattern", .string(patterns[chance.next(below: patterns.count)])))
        case 2:
            let formats = ["date", "time", "date-time", "uuid", "email", "ipv4"]
            members.append(.init("format", .string(formats[chance.next(below: formats.count)])))
        default: break
        }
        return .object(members)
    }

    private mutating func number() -> JSONValue {
        let isWhole = chance.next(below: 2) == 0
        var members: [JSONValue.Member] = [.init("type", .string(isWhole ? "integer" : "number"))]
        let low = chance.next(below: 4_000) - 2_000
        let high = low + 2 + chance.next(below: 3_000)
        let part = isWhole ? "" : ".\(chance.next(below: 1_000))"
        switch chance.next(below: 4) {
        case 0: members.append(.init("minimum", .number("\(low)\(part)")))
        case 1: members.append(.init("exclusiveMaximum", .number("\(high)\(part)")))
        case 2:
            members.append(.init("exclusiveMinimum", .number("\(low)\(part)")))
            members.append(.init("maximum", .number("\(high)")))
        default: break
        }
        return .object(members)
    }

    private mutating func listed() -> JSONValue {
        let values: [JSONValue] = [
            .string("goose"), .string("gö\"ose\n"), .number("12"), .number("-0.5"), .null,
            .bool(true), .array([.number("1"), .string("]")]), .object([.init("k", .null)]),
        ]
        let first = chance.next(below: values.count - 2)
        if chance.next(below: 3) == 0 { return .object([.init("const", values[first])]) }
        return .object([.init("enum", .array(Array(values[first...])))])
    }

    private mutating func object(_ depth: Int) -> JSONValue {
        let names = ["name", "na", "n\"q", "größe", "a b", "x"]
        var properties: [JSONValue.Member] = []
        var required: [JSONValue] = []
        for name in names where chance.next(below: 2) == 0 {
            properties.append(.init(name, value(depth: depth + 1)))
            if chance.next(below: 2) == 0 { required.append(.string(name)) }
        }
        var members: [JSONValue.Member] = [
            .init("type", .string("object")), .init("properties", .object(properties)),
            .init("required", .array(required)),
        ]
        switch chance.next(below: 4) {
        case 0: members.append(.init("additionalProperties", .bool(false)))
        case 1:
            members.append(.init("additionalProperties", number()))
            let most = properties.count + chance.next(below: 3)
            members.append(.init("maxProperties", .number("\(most)")))
        case 2: members.append(.init("additionalProperties", .bool(true)))
        default: break
        }
        return .object(members)
    }

    private mutating func array(_ depth: Int) -> JSONValue {
        var members: [JSONValue.Member] = [.init("type", .string("array"))]
        let isTuple = chance.next(below: 3) == 0
        if isTuple {
            let prefix = [value(depth: depth + 1), value(depth: depth + 1)]
            members.append(.init("prefixItems", .array(prefix)))
        }
        members.append(.init("items", value(depth: depth + 1)))
        let least = chance.next(below: 4)
        if chance.next(below: 2) == 0 { members.append(.init("minItems", .number("\(least)"))) }
        if chance.next(below: 2) == 0 {
            members.append(.init("maxItems", .number("\(least + chance.next(below: 3))")))
        }
        return .object(members)
    }
}
