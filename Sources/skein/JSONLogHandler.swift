import Foundation
import Logging

/// Writes each line of the log as one JSON object, on standard error.
struct JSONLogHandler: LogHandler {
    var logLevel: Logger.Level = .info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let label: String

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        Console.writeLine(
            Self.line(
                label: label, level: event.level, message: event.message.description,
                metadata: metadata.merging(event.metadata ?? [:]) { $1 }, time: Date()))
    }

    /// The object on one line: time, level, logger and message, then its fields by name.
    static func line(
        label: String, level: Logger.Level, message: String, metadata: Logger.Metadata, time: Date
    ) -> String {
        let stamp = time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        var members = [
            ("time", stamp), ("level", level.rawValue), ("logger", label), ("message", message),
        ].map { ($0.0, quoted($0.1)) }
        let taken = Set(members.map(\.0))
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            // A name that is taken already is told apart, so that no reader loses a value.
            members.append((taken.contains(key) ? "field.\(key)" : key, text(of: value)))
        }
        return "{\(members.map { "\(quoted($0.0)):\($0.1)" }.joined(separator: ","))}"
    }

    /// A value as JSON: what was given as a number or a truth value stays one.
    private static func text(of value: Logger.MetadataValue) -> String {
        switch value {
        case .stringConvertible(let value as Bool): "\(value)"
        case .stringConvertible(let value as any BinaryInteger): "\(value)"
        case .stringConvertible(let value as Double) where value.isFinite: "\(value)"
        case .array(let values): "[\(values.map(text).joined(separator: ","))]"
        case .dictionary(let fields):
            "{"
                + fields.sorted { $0.key < $1.key }
                .map { "\(quoted($0.key)):\(text(of: $0.value))" }.joined(separator: ",") + "}"
        default: quoted("\(value)")
        }
    }

    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
