internal import SkeinCore
internal import SkeinText

/// The fields of a request's JSON body, or of an object in it.
///
/// `null` counts as absent, and names that nobody asks for are ignored.
struct RequestFields: Sendable {
    private let object: JSONValue
    private let path: String
    /// The whole body, as it came.
    let body: String
    /// The seed of draws where the body names none.
    let standingSeed: UInt64

    /// Reads a body.
    ///
    /// - Parameter seed: of its draws where it names none; a request that is gone on with has the
    ///   one of before.
    init(body: [UInt8], seed: UInt64 = .random(in: 0...(.max))) throws(APIError) {
        object = try Self.json(body, subject: "body")
        path = ""
        self.body = String(decoding: body, as: UTF8.self)
        standingSeed = seed
        guard object.members != nil else {
            throw .invalid(nil, "body: found \(object.summary), expected an object")
        }
    }

    /// What a client wrote, as JSON.
    static func json(_ bytes: [UInt8], subject: String) throws(APIError) -> JSONValue {
        do throws(Refusal) {
            return try JSONValue(parsing: bytes, subject: subject, rules: .client)
        } catch {
            throw .invalid(subject == "body" ? nil : subject, error.description)
        }
    }

    private init(_ object: JSONValue, path: String) {
        self.object = object
        self.path = path
        body = ""
        standingSeed = 0
    }

    /// The names in their order; a body has none twice.
    var names: [String] { object.members?.map(\.name) ?? [] }

    /// A field's name with the way to it.
    func param(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// The error for a field with a wrong value.
    func wrong(_ name: String, expected: String) -> APIError {
        let found = object[name]?.summary ?? "nothing"
        return .invalid(param(name), "\(param(name)): found \(found), expected \(expected)")
    }

    /// A field of any type.
    func value(_ name: String) -> JSONValue? {
        guard let value = object[name], value != .null else { return nil }
        return value
    }

    /// A text.
    func text(_ name: String) throws(APIError) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.string else { throw wrong(name, expected: "a string") }
        return text
    }

    /// A truth value.
    func flag(_ name: String) throws(APIError) -> Bool? {
        guard let value = value(name) else { return nil }
        guard let flag = value.bool else { throw wrong(name, expected: "true or false") }
        return flag
    }

    /// A whole number.
    func whole(_ name: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let value = value(name) else { return nil }
        guard let number = value.integer, range.contains(number) else {
            throw wrong(
                name, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A number.
    func decimal(_ name: String, in range: ClosedRange<Double>) throws(APIError) -> Float? {
        guard let value = value(name) else { return nil }
        guard let number = value.double, range.contains(number) else {
            throw wrong(name, expected: "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return Float(number)
    }

    /// An object.
    func fields(_ name: String) throws(APIError) -> RequestFields? {
        guard let value = value(name) else { return nil }
        guard value.members != nil else { throw wrong(name, expected: "an object") }
        return RequestFields(value, path: param(name))
    }

    /// A list.
    func elements(_ name: String, countMax: Int) throws(APIError) -> [JSONValue]? {
        guard let value = value(name) else { return nil }
        guard let elements = value.array else { throw wrong(name, expected: "a list") }
        guard elements.count <= countMax else {
            throw .invalid(
                param(name),
                "\(param(name)): found \(elements.count) elements, expected at most \(countMax)")
        }
        return elements
    }

    /// A list of token numbers below the vocabulary's size.
    func tokens(
        _ name: String, countMax: Int, vocabularySize: Int
    ) throws(APIError) -> [TokenID]? {
        guard let elements = try elements(name, countMax: countMax) else { return nil }
        return try Self.tokens(elements, param: param(name), vocabularySize: vocabularySize)
    }

    /// Token numbers out of a list.
    static func tokens(
        _ elements: [JSONValue], param: String, vocabularySize: Int
    ) throws(APIError) -> [TokenID] {
        var tokens: [TokenID] = []
        for (index, element) in elements.enumerated() {
            guard let id = element.integer, (0..<vocabularySize).contains(id) else {
                throw .invalid(
                    "\(param)[\(index)]",
                    "\(param)[\(index)]: found \(element.summary), expected a token id from 0 to "
                        + "\(vocabularySize - 1)")
            }
            tokens.append(TokenID(id))
        }
        return tokens
    }

    /// The members of an object, as they stand.
    func members(_ name: String, countMax: Int) throws(APIError) -> [JSONValue.Member]? {
        guard let value = value(name) else { return nil }
        guard let members = value.members else { throw wrong(name, expected: "an object") }
        guard members.count <= countMax else {
            throw .invalid(
                param(name),
                "\(param(name)): found \(members.count) members, expected at most \(countMax)")
        }
        return members
    }
}
