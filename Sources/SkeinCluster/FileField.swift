import SkeinCore

/// One field of a mapping in a file: what it is called, what may stand there, and which property
/// it is.
///
/// A file's format is a list of these. It reads and writes the file, tells which fields there are,
/// and a test compares it with the document that describes the format.
struct FileField<Value>: Sendable {
    /// The field's name in the file.
    let name: String
    /// What may stand there, with its unit and range, as the document says it.
    let expected: String
    /// What is taken where the file does not say, as the document says it.
    let standard: String
    /// What the field is, as the document says it.
    let meaning: String

    /// Whether the field may be missing.
    private let isOptional: Bool
    private let take: @Sendable (ClusterFields, inout Value) throws(Refusal) -> Void
    private let written: @Sendable (Value) -> String?

    /// A field that must be there.
    init<Part>(
        _ name: String, _ form: FileForm<Part>, _ path: any WritableKeyPath<Value, Part> & Sendable,
        _ meaning: String
    ) {
        self.init(
            name, form.expected, "required", meaning, isOptional: false,
            take: { (fields, value) throws(Refusal) in
                value[keyPath: path] = try form.read(fields, name)
            }, written: { form.write($0[keyPath: path]) })
    }

    /// A field that is taken as `standard`, and not written, where it is missing.
    ///
    /// - Parameter absent: how the document says that, where not as the file would.
    init<Part: Equatable & Sendable>(
        _ name: String, _ form: FileForm<Part>, _ path: any WritableKeyPath<Value, Part> & Sendable,
        standard: Part, absent: String? = nil, _ meaning: String
    ) {
        self.init(
            name, form.expected, absent ?? form.write(standard), meaning, isOptional: true,
            take: { (fields, value) throws(Refusal) in
                value[keyPath: path] = try form.read(fields, name)
            },
            written: { $0[keyPath: path] == standard ? nil : form.write($0[keyPath: path]) })
    }

    /// A field without which its property is `nil`.
    init<Part>(
        _ name: String, _ form: FileForm<Part>,
        _ path: any WritableKeyPath<Value, Part?> & Sendable,
        absent: String, _ meaning: String
    ) {
        self.init(
            name, form.expected, absent, meaning, isOptional: true,
            take: { (fields, value) throws(Refusal) in
                value[keyPath: path] = try form.read(fields, name)
            }, written: { $0[keyPath: path].map(form.write) })
    }

    /// A field that the reader of the whole file takes, and that is not written.
    init(section name: String, _ expected: String, absent: String, _ meaning: String) {
        self.init(
            name, expected, absent, meaning, isOptional: true, take: { _, _ in },
            written: { _ in nil })
    }

    private init(
        _ name: String, _ expected: String, _ standard: String, _ meaning: String,
        isOptional: Bool,
        take: @escaping @Sendable (ClusterFields, inout Value) throws(Refusal) -> Void,
        written: @escaping @Sendable (Value) -> String?
    ) {
        self.name = name
        self.expected = expected
        self.standard = standard
        self.meaning = meaning
        self.isOptional = isOptional
        self.take = take
        self.written = written
    }

    /// The field's line in the document that describes the format.
    var documentedRow: String { "| `\(name)` | \(expected) | \(standard) | \(meaning) |" }
}

extension Array {
    /// Reads every field of a mapping into a value that holds what is taken where one is missing.
    func read<Value>(
        _ fields: ClusterFields, into value: inout Value
    ) throws(Refusal) where Element == FileField<Value> {
        for field in self { try field.read(fields, into: &value) }
    }

    /// The lines of a mapping, each after `indent`.
    func lines<Value>(of value: Value, indent: String) -> [String]
    where Element == FileField<Value> {
        compactMap { field in
            field.text(of: value).map { text in
                indent + field.name + (text.hasPrefix("\n") ? ":" : ": ") + text
            }
        }
    }
}

extension FileField {
    fileprivate func read(_ fields: ClusterFields, into value: inout Value) throws(Refusal) {
        if isOptional && !fields.has(name) { return }
        try take(fields, &value)
    }

    fileprivate func text(of value: Value) -> String? { written(value) }
}
