import Foundation
import Logging
import SkeinCore

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
        return JSONValue.object(fields.map { .init($0.0, .string($0.1)) }).line
    }
}
