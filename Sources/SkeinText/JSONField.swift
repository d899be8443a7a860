import SkeinCore

/// A value of a JSON file together with the way that led to it, so that every refusal names both.
struct JSONField {
    let value: JSONValue
    let file: String
    let path: String

    init(_ value: JSONValue, file: String, path: String = "") {
        self.value = value
        self.file = file
        self.path = path
    }

    /// The file and the field, as refusals name them.
    var subject: String { path.isEmpty ? file : "\(file): \(path)" }

    /// A field of this object; `null` counts as absent.
    func optional(_ name: String) -> JSONField? {
        guard let inner = value[name], inner != .null else { return nil }
        return JSONField(inner, file: file, path: path.isEmpty ? name : "\(path).\(name)")
    }

    /// A field that this object must have.
    func required(_ name: String) throws(Refusal) -> JSONField {
        guard let field = optional(name) else {
            let place = path.isEmpty ? name : "\(path).\(name)"
            throw Refusal("\(file): \(place)", "is missing")
        }
        return field
    }

    func elements() throws(Refusal) -> [JSONField] {
        guard let elements = value.array else { throw expected("a list") }
        return elements.enumerated().map { index, element in
            JSONField(element, file: file, path: "\(path)[\(index)]")
        }
    }

    func members() throws(Refusal) -> [JSONValue.Member] {
        guard let members = value.members else { throw expected("an object") }
        return members
    }

    func string() throws(Refusal) -> String {
        guard let text = value.string else { throw expected("a string") }
        return text
    }

    func integer(in range: ClosedRange<Int>) throws(Refusal) -> Int {
        guard let number = value.integer, range.contains(number) else {
            throw expected("a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func double(in range: ClosedRange<Double>) throws(Refusal) -> Double {
        guard let number = value.double, range.contains(number) else {
            throw expected("a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A truth value of this object, or what holds where it is absent.
    func flag(_ name: String, otherwise: Bool) throws(Refusal) -> Bool {
        guard let field = optional(name) else { return otherwise }
        guard let truth = field.value.bool else { throw field.expected("true or false") }
        return truth
    }

    /// The refusal of this value.
    func expected(_ what: String) -> Refusal {
        Refusal(subject, "found \(value.summary), expected \(what)")
    }
}
