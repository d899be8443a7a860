import Foundation
import Logging
import SkeinCore

/// One line of the log: what has happened, and the facts of it.
struct LogLine {
    let label: String
    let level: Logger.Level
    let message: String
    let fields: Logger.Metadata
    let time: Date

    init(
        label: String, level: Logger.Level, message: String, _ fields: Logger.Metadata,
        time: Date = Date()
    ) {
        self.label = label
        self.level = level
        self.message = message
        self.fields = fields
        self.time = time
    }

    /// The line in one form or the other; never with a line break inside.
    func text(_ format: LogFormat) -> String {
        switch format {
        case .text: plainText
        case .json: object.line
        }
    }

    private var stamp: String {
        time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    /// For people: the message first, then what the line carries.
    ///
    ///     2026-11-30T15:04:05.123Z warning skein.node: a step failed micro_batch=7 node=a
    private var plainText: String {
        let pairs = fields.sorted { $0.key < $1.key }.map { key, value in
            " \(PlainText(key))=\(Self.value("\(value)"))"
        }
        let plain = PlainText(message, charactersMax: message.unicodeScalars.count)
        return "\(stamp) \(level.rawValue) \(label): \(plain)" + pairs.joined()
    }

    /// For programs: time, level, logger and message, then the fields by name.
    private var object: JSONValue {
        var members: [JSONValue.Member] = [
            ("time", stamp), ("level", level.rawValue), ("logger", label), ("message", message),
        ].map { .init($0.0, .string($0.1)) }
        let taken = Set(members.map(\.name))
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            // A name that is taken already is told apart, so that no reader loses a value.
            members.append(
                .init(taken.contains(key) ? "field.\(key)" : key, Self.json(value)))
        }
        return .object(members)
    }

    /// What was given as a number or a truth value stays one.
    private static func json(_ value: Logger.MetadataValue) -> JSONValue {
        switch value {
        case .stringConvertible(let value as Bool): .bool(value)
        case .stringConvertible(let value as any BinaryInteger): .number("\(value)")
        case .stringConvertible(let value as Double) where value.isFinite: .number(value)
        case .array(let values): .array(values.map(json))
        case .dictionary(let fields):
            .object(
                fields.sorted { $0.key < $1.key }.map { .init($0.key, json($0.value)) })
        default: .string("\(value)")
        }
    }

    /// A value as it stands behind its name: in quotation marks where it would not end otherwise.
    private static func value(_ text: String) -> String {
        let isPlain = text.unicodeScalars.allSatisfy { scalar in
            scalar.value > 0x20 && !(0x7F...0x9F).contains(scalar.value) && scalar != "\""
                && scalar != "="
        }
        return isPlain && !text.isEmpty ? text : JSONValue.string(text).line
    }
}
