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
        var members: [JSONValue.Member] = [
            ("time", stamp), ("level", level.rawValue), ("logger", label), ("message", message),
        ].map { .init($0.0, .string($0.1)) }
        let taken = Set(members.map(\.name))
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            // A name that is taken already is told apart, so that no reader loses a value.
            members.append(
                .init(taken.contains(key) ? "field.\(key)" : key, json(value)))
        }
        return JSONValue.object(members).line
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
}
