import SkeinCore
import SkeinTransport
import Yams

/// One mapping of a cluster file: values by field, and the line on which each stands.
struct ClusterFields {
    private let file: String
    private let name: String
    private let line: Int
    private var nodes: [String: Node] = [:]
    private var lines: [String: Int] = [:]

    /// Takes a mapping whose fields are all among `allowed`.
    init(_ node: Node, file: String, name: String, allowed: [String]) throws(Refusal) {
        self.file = file
        self.name = name
        line = node.mark?.line ?? 1
        guard case .mapping(let mapping) = node else {
            throw Refusal(
                "\(file):\(line): \(name)",
                "found \(Self.describe(node)), "
                    + "expected the fields \(allowed.joined(separator: ", "))"
            )
        }
        for (key, value) in mapping {
            let keyLine = key.mark?.line ?? line
            guard case .scalar(let scalar) = key, allowed.contains(scalar.string) else {
                throw Self.unknown(key, "\(file):\(keyLine)", prefix: prefix, allowed: allowed)
            }
            nodes[scalar.string] = value
            // An empty value has the mark of what follows it, so the field's own line is truer.
            lines[scalar.string] = Self.isNothing(value) ? keyLine : value.mark?.line ?? keyLine
        }
    }

    /// Refuses the value of one field.
    func refusal(_ field: String, _ reason: String) -> Refusal {
        Refusal("\(file):\(lines[field] ?? line): \(prefix)\(field)", reason)
    }

    /// Whether the field is there at all.
    func has(_ field: String) -> Bool { nodes[field] != nil }

    // MARK: Texts

    /// A text that is not empty.
    func text(_ field: String) throws(Refusal) -> String {
        guard case .scalar(let scalar) = nodes[field], !Self.isNothing(.scalar(scalar)),
            !scalar.string.isEmpty
        else { throw refusal(field, "found \(found(field)), expected a text") }
        return scalar.string
    }

    /// A name: letters, digits, `-`, `_` and `.`, since files are named after it.
    func name(_ field: String) throws(Refusal) -> String {
        let text = try text(field)
        guard Self.isName(text) else {
            throw refusal(field, "found '\(text)', expected \(Self.nameExpected)")
        }
        return text
    }

    /// What a name is, for errors.
    static let nameExpected =
        "at most \(Limits.nameCharactersMax) letters, digits, '-', '_' or '.', not '.' first"

    /// Whether files may be named after a text.
    static func isName(_ text: String) -> Bool {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
            default: false
            }
        }
        return isPlain && !text.isEmpty && !text.hasPrefix(".")
            && text.utf8.count <= Limits.nameCharactersMax
    }

    /// A folder, relative to the file's own.
    func folder(_ field: String) throws(Refusal) -> String {
        ClusterFile.absolute(try text(field), in: ClusterFile.folder(of: file))
    }

    /// One of an enumeration's texts.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ field: String, _ type: Choice.Type
    ) throws(Refusal) -> Choice where Choice.RawValue == String {
        let wanted = type.allCases.map(\.rawValue).joined(separator: " or ")
        guard has(field) else { throw refusal(field, "found nothing, expected \(wanted)") }
        let text = try text(field)
        guard let choice = type.init(rawValue: text) else {
            throw refusal(field, "found '\(text)', expected \(wanted)")
        }
        return choice
    }

    // MARK: Numbers

    /// A whole number.
    func number(_ field: String, _ range: ClosedRange<Int>) throws(Refusal) -> Int {
        guard case .scalar(let scalar) = nodes[field], scalar.style == .plain,
            let number = Self.decimal(scalar.string), range.contains(number)
        else {
            throw refusal(
                field, "found \(found(field)), expected a whole number \(Self.text(range))")
        }
        return number
    }

    /// A number with or without a fraction.
    func decimal(_ field: String, _ range: ClosedRange<Double>) throws(Refusal) -> Double {
        if case .scalar(let scalar) = nodes[field], scalar.style == .plain {
            let parts = scalar.string.split(separator: ".", omittingEmptySubsequences: false)
            if parts.count <= 2, parts.allSatisfy({ Self.decimal($0) != nil }),
                let number = Double(scalar.string), range.contains(number)
            {
                return number
            }
        }
        throw refusal(field, "found \(found(field)), expected a number \(Self.text(range))")
    }

    /// `FIRST-LAST`, both included, or one number.
    func range(_ text: String, of field: String, countMax: Int) throws(Refusal) -> Range<Int> {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
            .map { Self.decimal($0) }
        guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil,
            first <= last, last < countMax
        else {
            throw refusal(
                field, "found '\(text)', expected FIRST-LAST, both from 0 to \(countMax - 1)")
        }
        return first..<(last + 1)
    }

    /// A number in decimal digits alone: YAML's octal, sexagesimal and `1_000` are too clever here.
    static func decimal(_ text: some StringProtocol) -> Int? {
        let isDecimal = !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
        return isDecimal ? Int(text) : nil
    }

    // MARK: Addresses and keys

    /// Where a peer listens and others call it.
    func address(_ field: String) throws(Refusal) -> TCPAddress {
        let address = try nodeAddress(field)
        guard address.port != nil else {
            throw refusal(
                field, "found '\(address)', expected a port number, since others call it")
        }
        return address
    }

    /// Where a node listens: its port may be any free one, since the node tells the coordinator
    /// which it got, and the coordinator the others.
    func nodeAddress(_ field: String) throws(Refusal) -> TCPAddress {
        let text = try text(field)
        let address: TCPAddress
        do throws(Refusal) {
            address = try TCPAddress(parsing: text)
        } catch {
            throw refusal(field, "found '\(text)', \(error.reason)")
        }
        guard !address.isEveryAddress else {
            throw refusal(
                field, "found '\(text)', expected the address by which other hosts call this one")
        }
        return address
    }

    /// Where clients speak HTTP, `host:port`.
    func httpAddress(_ field: String) throws(Refusal) -> TCPAddress {
        let text = try text(field)
        let address: TCPAddress
        do throws(Refusal) {
            address = try TCPAddress(hostAndPort: text)
        } catch {
            throw refusal(field, "found '\(text)', \(error.reason)")
        }
        guard address.port != nil else {
            throw refusal(field, "found '\(text)', expected a port number, since clients call it")
        }
        return address
    }

    /// A public CURVE key in Z85; never repeated in an error, since it may be a secret one.
    func key(_ field: String) throws(Refusal) -> String {
        let text = try text(field)
        do throws(Refusal) {
            try CurveKeyPair.check(text, subject: field)
        } catch {
            throw refusal(field, "\(error.reason), expected what 'skein keys show' prints")
        }
        return text
    }

    // MARK: Mappings and lists

    /// A mapping inside this one.
    func mapping(_ field: String, allowed: [String]) throws(Refusal) -> ClusterFields {
        guard let node = nodes[field] else {
            throw refusal(
                field, "found nothing, expected the fields \(allowed.joined(separator: ", "))")
        }
        return try Self.inside(
            node, file: file, name: prefix + field, line: lines[field] ?? line, allowed: allowed)
    }

    /// The same mapping, with what only `others` says; a mistake there is shown where it stands.
    func completed(by others: ClusterFields) -> ClusterFields {
        var fields = self
        for (field, node) in others.nodes where fields.nodes[field] == nil {
            fields.nodes[field] = node
            fields.lines[field] = others.lines[field]
        }
        return fields
    }

    /// A list of mappings inside this one, of 1 to `countMax` entries.
    func list<Entry>(
        _ field: String, countMax: Int, fields table: [FileField<Entry>]
    ) throws(Refusal) -> [ClusterFields] {
        let allowed = table.map(\.name)
        let expected = "a list of 1 to \(countMax) entries"
        guard let node = nodes[field] else {
            throw refusal(field, "found nothing, expected \(expected)")
        }
        guard case .sequence(let sequence) = node else {
            throw refusal(field, "found \(Self.describe(node)), expected \(expected)")
        }
        guard (1...countMax).contains(sequence.count) else {
            throw refusal(field, "found \(sequence.count) entries, expected \(expected)")
        }
        var entries: [ClusterFields] = []
        for (index, entry) in sequence.enumerated() {
            let name = "\(prefix)\(field)[\(index)]"
            let fieldLine = entry.mark?.line ?? line
            entries.append(
                try Self.inside(entry, file: file, name: name, line: fieldLine, allowed: allowed))
        }
        return entries
    }

    /// One text or a list of texts; empty where the field is missing.
    func texts(_ field: String, countMax: Int) throws(Refusal) -> [String] {
        guard let node = nodes[field] else { return [] }
        guard case .sequence(let sequence) = node else { return [try text(field)] }
        var texts: [String] = []
        for entry in sequence.prefix(countMax + 1) {
            guard case .scalar(let scalar) = entry else {
                throw refusal(field, "found \(Self.describe(entry)) in the list, expected a text")
            }
            texts.append(scalar.string)
        }
        return texts
    }

    // MARK: Rooms

    private var prefix: String { name == "file" ? "" : "\(name)." }

    private static func inside(
        _ node: Node, file: String, name: String, line: Int, allowed: [String]
    ) throws(Refusal) -> ClusterFields {
        if isNothing(node) {
            let fields = allowed.joined(separator: ", ")
            throw Refusal(
                "\(file):\(line): \(name)", "found nothing, expected the fields \(fields)")
        }
        return try ClusterFields(node, file: file, name: name, allowed: allowed)
    }

    private static func isNothing(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private static func describe(_ node: Node) -> String {
        switch node {
        case .scalar(let scalar):
            if isNothing(node) || scalar.string.isEmpty { return "nothing" }
            let quoted = scalar.style != .plain && decimal(scalar.string) != nil
            return "'\(scalar.string)'" + (quoted ? " in quotation marks" : "")
        case .mapping: return "a mapping"
        case .sequence(let sequence): return sequence.isEmpty ? "an empty list" : "a list"
        case .alias: return "an alias"
        }
    }

    private func found(_ field: String) -> String { nodes[field].map(Self.describe) ?? "nothing" }

    private static func text<Number>(_ range: ClosedRange<Number>) -> String {
        func text(_ bound: Number) -> String {
            let text = "\(bound)"
            return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
        }
        return "from \(text(range.lowerBound)) to \(text(range.upperBound))"
    }

    private static func unknown(
        _ key: Node, _ place: String, prefix: String, allowed: [String]
    ) -> Refusal {
        guard case .scalar(let scalar) = key else {
            return Refusal(
                "\(place): \(prefix)key", "found \(describe(key)), expected a field's name")
        }
        if let near = NearName.of(scalar.string, among: allowed) {
            return Refusal(
                "\(place): \(prefix)\(scalar.string)", "no such field, did you mean '\(near)'?")
        }
        return Refusal(
            "\(place): \(prefix)\(scalar.string)",
            "no such field, expected one of \(allowed.joined(separator: ", "))")
    }
}
