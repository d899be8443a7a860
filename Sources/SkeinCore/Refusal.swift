/// Something from outside (a file, a flag, a peer, a client) that Skein will not accept.
///
/// A refusal is one clear line: it names the subject (the file, field or peer) and says what was
/// found and what was expected. Only the world can cause one; our own mistakes are preconditions.
public struct Refusal: Error, Equatable, Sendable {
    /// The file, field or peer, for example `config.json: kv_lora_rank`.
    public let subject: String

    /// What was found and what was expected, in one line.
    public let reason: String

    /// Makes a refusal; line breaks and control characters from foreign text are made visible.
    public init(_ subject: String, _ reason: String) {
        self.subject = Self.oneLine(subject)
        self.reason = Self.oneLine(reason)
    }

    private static func oneLine(_ text: String) -> String {
        var line = ""
        for scalar in text.unicodeScalars.prefix(Limits.refusalScalarsMax) {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            line += isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
        return line
    }
}

extension Refusal: CustomStringConvertible {
    /// The one line that a person reads.
    public var description: String { "\(subject): \(reason)" }
}
