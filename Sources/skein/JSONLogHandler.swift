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
        Console.standardError(
            Self.line(label: label, event: event, metadata: metadata, time: Date()))
    }

    /// The object: time, level, logger and message, then what the line carries, by name.
    static func line(
        label: String, event: LogEvent, metadata: Logger.Metadata, time: Date
    ) -> String {
        var fields = [
            ("time", time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))),
            ("level", event.level.rawValue), ("logger", label),
            ("message", event.message.description),
        ]
        let taken = Set(fields.map(\.0))
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) {
            // A name that is taken already is told apart, so that no reader loses a value.
            fields.append((taken.contains(key) ? "field.\(key)" : key, "\(value)"))
        }
        let members = fields.map { "\(quoted($0.0)):\(quoted($0.1))" }
        return "{\(members.joined(separator: ","))}"
    }

    private static func quoted(_ text: String) -> String {
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
