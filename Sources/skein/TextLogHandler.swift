import Foundation
import Logging
import SkeinCore

/// Writes each line of the log for people, on standard error: the message first, then what the
/// line carries.
///
///     2026-11-30T15:04:05.123Z warning skein.node: a step failed micro_batch=7 node=a
struct TextLogHandler: LogHandler {
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

    /// One line, whatever the message and the values hold.
    static func line(
        label: String, level: Logger.Level, message: String, metadata: Logger.Metadata, time: Date
    ) -> String {
        let stamp = time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        let pairs = metadata.sorted { $0.key < $1.key }.map { key, value in
            " \(PlainText(key))=\(Self.value("\(value)"))"
        }
        let plain = PlainText(message, charactersMax: message.unicodeScalars.count)
        return "\(stamp) \(level.rawValue) \(label): \(plain)" + pairs.joined()
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
