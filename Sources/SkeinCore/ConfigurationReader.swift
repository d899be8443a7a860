/// Takes checked values out of a JSON object; every refusal names the file and the key.
///
/// `null` counts as absent everywhere, as it does for the published loaders.
struct ConfigurationReader {
    /// The object's keys with their values.
    let fields: [String: JSONValue]
    /// The file, and the object inside it where it is not the outermost.
    let subject: String
    /// Keys that the file spells otherwise, by the names under which they are read.
    var spellings: [String: String] = [:]

    /// A refusal of one key.
    func refusal(_ key: String, _ reason: String) -> Refusal {
        Refusal("\(subject): \(spellings[key] ?? key)", reason)
    }

    /// The first of some names of one thing that is there, where the others do not contradict it.
    func value(_ keys: [String]) throws(Refusal) -> (key: String, value: JSONValue)? {
        var found: (key: String, value: JSONValue)?
        for key in keys {
            guard let value = fields[key], value != .null else { continue }
            if let found, !Self.agree(found.value, value) {
                throw refusal(
                    key, "\(value.summary) contradicts \(found.key), \(found.value.summary)")
            }
            if found == nil { found = (key, value) }
        }
        return found
    }

    /// A whole number within bounds; absent gives `fallback`, and without one it is refused.
    func integer(
        _ keys: String..., in bounds: ClosedRange<Int>, default fallback: Int? = nil
    ) throws(Refusal) -> Int {
        guard let (key, value) = try value(keys) else {
            return try required(keys[0], fallback, as: "a whole number")
        }
        guard let number = value.integer, bounds.contains(number) else {
            throw refusal(
                key,
                "found \(value.summary), expected a whole number from \(bounds.lowerBound) "
                    + "to \(bounds.upperBound)")
        }
        return number
    }

    /// A finite number within bounds.
    func number(
        _ key: String, in bounds: ClosedRange<Double>, default fallback: Double? = nil
    ) throws(Refusal) -> Double {
        guard let (_, value) = try value([key]) else {
            return try required(key, fallback, as: "a number")
        }
        guard let number = value.double, bounds.contains(number) else {
            throw refusal(
                key,
                "found \(value.summary), expected a number from \(bounds.lowerBound) "
                    + "to \(bounds.upperBound)")
        }
        return number
    }

    /// A number that may be absent.
    func optionalNumber(_ key: String, in bounds: ClosedRange<Double>) throws(Refusal) -> Double? {
        try value([key]) == nil ? nil : try number(key, in: bounds)
    }

    /// `true` or `false`.
    func flag(_ key: String, default fallback: Bool) throws(Refusal) -> Bool {
        guard let (_, value) = try value([key]) else { return fallback }
        guard let flag = value.bool else {
            throw refusal(key, "found \(value.summary), expected true or false")
        }
        return flag
    }

    /// A text.
    func text(_ keys: String..., default fallback: String? = nil) throws(Refusal) -> String {
        guard let (key, value) = try value(keys) else {
            return try required(keys[0], fallback, as: "a text")
        }
        guard let text = value.string else {
            throw refusal(key, "found \(value.summary), expected a text")
        }
        return text
    }

    /// One of the cases of an enumeration by its published name.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, default fallback: Choice
    ) throws(Refusal) -> Choice where Choice.RawValue == String {
        let name = try text(key, default: fallback.rawValue)
        guard let choice = Choice(rawValue: name) else {
            let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw refusal(key, "found \"\(name)\", expected one of \(names)")
        }
        return choice
    }

    /// An inner object, which may be absent.
    func object(_ key: String) throws(Refusal) -> ConfigurationReader? {
        guard let (_, value) = try value([key]) else { return nil }
        guard let fields = value.fields else {
            throw refusal(key, "found \(value.summary), expected an object")
        }
        return ConfigurationReader(
            fields: fields, subject: "\(subject): \(spellings[key] ?? key)", spellings: spellings)
    }

    /// Refuses a key whose value is anything but the only supported one.
    func expect(_ key: String, _ supported: JSONValue) throws(Refusal) {
        guard let (_, value) = try value([key]) else { return }
        guard Self.agree(value, supported) else {
            throw refusal(
                key, "found \(value.summary); only \(supported.summary) is supported")
        }
    }

    private func required<Value>(
        _ key: String, _ fallback: Value?, as kind: String
    ) throws(Refusal) -> Value {
        guard let fallback else {
            throw refusal(key, "the key is missing, expected \(kind)")
        }
        return fallback
    }

    /// Numbers agree whatever their spelling.
    private static func agree(_ one: JSONValue, _ other: JSONValue) -> Bool {
        if let one = one.double { return one == other.double }
        return one == other
    }
}
