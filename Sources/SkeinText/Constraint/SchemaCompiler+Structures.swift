import SkeinCore

// Objects and lists.
extension SchemaCompiler {
    /// What a schema says about an object's members.
    struct MemberRules {
        /// Members with a schema of their own, in their order.
        var declared: [(name: String, schema: Located, isRequired: Bool)] = []
        /// Names that are declared, those included that no value may have.
        var takenNames: [String] = []
        /// The schema of all other members; `nil` where there are none.
        var others: Located?
        /// How many others there may be.
        var othersMax: Int?
    }

    /// Reads what a schema says about an object's members.
    func memberRules(_ located: Located) throws(Refusal) -> MemberRules {
        let schema = located.schema
        var rules = MemberRules()
        let required = try requiredNames(located)
        let properties = try Self.object("properties", of: located)
        let all = Located(schema: .bool(true), path: located.path)
        switch schema["additionalProperties"] {
        case .bool(false): break
        case .some(.bool(true)): rules.others = all
        case .some(let others):
            rules.others = Located(schema: others, path: located.at("additionalProperties"))
        // A schema that lists its properties hardly ever means others as well.
        case nil: rules.others = schema["properties"] == nil ? all : nil
        }
        for member in properties where !rules.takenNames.contains(member.name) {
            rules.takenNames.append(member.name)
            let inner = Located(
                schema: properties.last { $0.name == member.name }?.value ?? member.value,
                path: "\(located.at("properties")).\(member.name)")
            let isRequired = required.contains(member.name)
            if inner.schema == .bool(false), !isRequired { continue }
            rules.declared.append((member.name, inner, isRequired))
        }
        let isOpen = schema["additionalProperties"] != .bool(false)
        for name in required where !rules.takenNames.contains(name) {
            guard isOpen else {
                throw Refusal(
                    located.at("required"), "names '\(name)', which additionalProperties forbids")
            }
            rules.takenNames.append(name)
            rules.declared.append((name, rules.others ?? all, true))
        }
        try bound(&rules, requiredCount: required.count, located)
        return rules
    }

    private func bound(
        _ rules: inout MemberRules, requiredCount: Int, _ located: Located
    ) throws(Refusal) {
        if let least = try count("minProperties", of: located), least > requiredCount {
            throw Refusal(
                located.at("minProperties"),
                "is \(least), and \(requiredCount) are required; this server can keep to those only"
            )
        }
        guard let most = try count("maxProperties", of: located) else { return }
        let declaredCount = rules.declared.count
        guard most >= declaredCount else {
            throw Refusal(
                located.at("maxProperties"),
                "is \(most), and \(declaredCount) are declared; this server cannot choose")
        }
        rules.othersMax = most - declaredCount
    }

    private func requiredNames(_ located: Located) throws(Refusal) -> [String] {
        guard let value = located.schema["required"] else { return [] }
        var names: [String] = []
        for element in value.array ?? [value] {
            guard value.array != nil, let name = element.string else {
                throw Refusal(
                    located.at("required"), "found \(element.summary), expected a list of names")
            }
            if !names.contains(name) { names.append(name) }
        }
        return names
    }

    private static func object(
        _ name: String, of located: Located
    ) throws(Refusal) -> [JSONValue.Member] {
        guard let value = located.schema[name] else { return [] }
        guard let members = value.members else {
            throw Refusal(located.at(name), "found \(value.summary), expected an object")
        }
        return members
    }

    mutating func object(_ located: Located) throws(Refusal) -> Index {
        let rules = try memberRules(located)
        if rules.declared.isEmpty, rules.takenNames.isEmpty, rules.othersMax == nil,
            rules.others?.schema == .bool(true)
        {
            return builder.anyObject
        }
        let close = builder.literal("}", then: GrammarBuilder.end)
        // What may follow a member, and what may stand where no member is yet.
        var after = builder.space(then: close)
        var before = close
        if let others = rules.others, rules.othersMax != 0 {
            let value = try part(others)
            let colon = builder.literal(
                ":", then: builder.space(then: builder.add(.call(value, next: GrammarBuilder.end))))
            let member = builder.name(otherThan: rules.takenNames, then: colon)
            let further = builder.literal(",", then: builder.space(then: member))
            after = builder.loop(
                further, least: 0, most: rules.othersMax.map { $0 - 1 }, then: after)
            before = builder.either([builder.add(.call(member, next: after)), close])
            if rules.othersMax != nil, !rules.declared.isEmpty {
                // One more than after a first one of them.
                after = builder.loop(
                    further, least: 0, most: rules.othersMax, then: builder.space(then: close))
            }
        }
        for declared in rules.declared.reversed() {
            let value = try part(declared.schema)
            var name = ""
            JSONValue.writeQuoted(declared.name, to: &name)
            let member = builder.literal(
                name + ":", then: builder.space(then: builder.add(.call(value, next: after))))
            let further = builder.literal(",", then: builder.space(then: member))
            after = declared.isRequired ? further : builder.either([further, after])
            before = declared.isRequired ? member : builder.either([member, before])
        }
        return builder.literal("{", then: builder.space(then: before))
    }

    mutating func array(_ located: Located) throws(Refusal) -> Index {
        if case .bool(true) = located.schema["uniqueItems"] {
            throw Refusal(located.at("uniqueItems"), "is no keyword that this server can keep to")
        }
        let least = try count("minItems", of: located) ?? 0
        let most = try count("maxItems", of: located)
        guard least <= most ?? least else {
            throw Refusal(located.at("minItems"), "is more than maxItems")
        }
        let prefix = try prefixItems(located)
        var others: Located? = Located(schema: .bool(true), path: located.path)
        if let items = located.schema["items"] {
            others = Located(schema: items, path: located.at("items"))
        } else if !prefix.isEmpty {
            others = nil
        }
        if others?.schema == .bool(false) { others = nil }
        guard others != nil || least <= prefix.count else {
            throw Refusal(located.at("minItems"), "is \(least), and \(prefix.count) are allowed")
        }
        let close = builder.literal("]", then: GrammarBuilder.end)
        let end = builder.space(then: close)
        // What stands after all of the prefix.
        var after = end
        var before = close
        if let others, most ?? .max > prefix.count {
            let value = try part(others)
            let item = builder.add(.call(value, next: GrammarBuilder.end))
            let further = builder.literal(",", then: builder.space(then: item))
            let (leastLeft, mostLeft) = (
                max(0, least - prefix.count), most.map { $0 - prefix.count }
            )
            after = builder.loop(further, least: leastLeft, most: mostLeft, then: end)
            if prefix.isEmpty {
                let rest = builder.loop(
                    further, least: max(0, leastLeft - 1), most: mostLeft.map { $0 - 1 }, then: end)
                let first = builder.add(.call(value, next: rest))
                before = least == 0 ? builder.either([first, close]) : first
            }
        }
        for (index, item) in prefix.enumerated().reversed() where index < most ?? .max {
            if index + 1 == most { after = end }
            let value = try part(item)
            let element = builder.add(.call(value, next: after))
            let further = builder.literal(",", then: builder.space(then: element))
            before = index >= least ? builder.either([element, close]) : element
            after = index >= least ? builder.either([further, end]) : further
        }
        return builder.literal("[", then: builder.space(then: before))
    }

    private func prefixItems(_ located: Located) throws(Refusal) -> [Located] {
        guard let value = located.schema["prefixItems"] else { return [] }
        guard let elements = value.array else {
            throw Refusal(
                located.at("prefixItems"), "found \(value.summary), expected a list of schemas")
        }
        return elements.enumerated().map { index, element in
            Located(schema: element, path: "\(located.at("prefixItems"))[\(index)]")
        }
    }
}

extension GrammarBuilder {
    /// Nothing, a space, or a line end with an indentation.
    mutating func space(then next: Index) -> Index {
        let blank = part("blank") { $0.literal(" ", then: Self.end) }
        let indented = loop(blank, least: 0, most: Limits.constraintIndentationMax, then: next)
        return add(
            .either([
                next, literal(" ", then: next), literal("\n", then: indented),
            ]))
    }

    /// Any value.
    var anyValue: Index {
        mutating get {
            part("any") { builder in
                let end = Self.end
                return builder.either([
                    builder.string(least: 0, most: nil, then: end), builder.number,
                    builder.anyObject, builder.anyArray,
                    builder.oneOf(
                        ["true", "false", "null"].map { Array($0.utf8) }, then: end),
                ])
            }
        }
    }

    /// Any object.
    var anyObject: Index {
        mutating get {
            part("object") { builder in
                let value = builder.anyValue
                let close = builder.literal("}", then: Self.end)
                let end = builder.space(then: close)
                let element = builder.add(.call(value, next: Self.end))
                let colon = builder.literal(":", then: builder.space(then: element))
                let member = builder.string(least: 0, most: nil, then: colon)
                let rest = builder.many(then: end) { builder, next in
                    let call = builder.add(.call(member, next: next))
                    return builder.literal(",", then: builder.space(then: call))
                }
                let first = builder.add(.call(member, next: rest))
                let inside = builder.either([first, close])
                return builder.literal("{", then: builder.space(then: inside))
            }
        }
    }

    /// Any list.
    var anyArray: Index {
        mutating get {
            part("array") { builder in
                let value = builder.anyValue
                let close = builder.literal("]", then: Self.end)
                let end = builder.space(then: close)
                let rest = builder.many(then: end) { builder, next in
                    let call = builder.add(.call(value, next: next))
                    return builder.literal(",", then: builder.space(then: call))
                }
                let first = builder.add(.call(value, next: rest))
                let inside = builder.either([first, close])
                return builder.literal("[", then: builder.space(then: inside))
            }
        }
    }
}
