public import SkeinCore

/// One row of a prompts file.
public struct RolloutPrompt: Equatable, Sendable {
    /// A text to go on with, or the messages of a conversation to answer.
    public enum Form: Equatable, Sendable {
        /// A plain text.
        case text(String)
        /// Messages as OpenAI's interface has them, at least one.
        case conversation([JSONValue])
    }

    /// The names of the fields that are read.
    public struct Fields: Equatable, Sendable {
        /// Holds the prompt.
        public var prompt: String
        /// Holds what the answer is compared with.
        public var answer: String

        /// Names the fields.
        public init(prompt: String = "prompt", answer: String = "answer") {
            self.prompt = prompt
            self.answer = answer
        }
    }

    /// What is asked.
    public let form: Form

    /// What the answer is compared with, where the row says so.
    public let expected: JSONValue?

    /// The whole row.
    public let row: JSONValue

    /// Where the row stands, for messages.
    public let place: String

    /// The prompt as it stands in the file.
    public var value: JSONValue {
        switch form {
        case .text(let text): .string(text)
        case .conversation(let messages): .array(messages)
        }
    }

    /// The same, a text as the only message of a conversation.
    public var asChat: RolloutPrompt {
        guard case .text(let text) = form else { return self }
        let message = JSONValue.object([
            .init("role", .string("user")), .init("content", .string(text)),
        ])
        return RolloutPrompt(
            form: .conversation([message]), expected: expected, row: row, place: place)
    }

    private init(form: Form, expected: JSONValue?, row: JSONValue, place: String) {
        self.form = form
        self.expected = expected
        self.row = row
        self.place = place
    }

    /// Reads the rows of a file: a JSON object a line; empty lines are passed over.
    ///
    /// A row that cannot be used is refused, not skipped: the numbers of prompts would move.
    ///
    /// - Parameters:
    ///   - bytes: the file.
    ///   - subject: its name, for refusals.
    ///   - fields: what its fields are called.
    public static func read(
        _ bytes: [UInt8], subject: String, fields: Fields = .init()
    ) throws(Refusal) -> [RolloutPrompt] {
        var prompts: [RolloutPrompt] = []
        var number = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            guard line.contains(where: { ![0x20, 0x0D, 0x09].contains($0) }) else { continue }
            guard prompts.count < Limits.loadRequestsMax else {
                throw Refusal(subject, "has more than \(Limits.loadRequestsMax) prompts")
            }
            let place = "\(subject) line \(number)"
            let row = try JSONValue(parsing: Array(line), subject: place)
            prompts.append(try RolloutPrompt(row, place: place, fields: fields))
        }
        guard !prompts.isEmpty else { throw Refusal(subject, "holds no prompts") }
        return prompts
    }

    /// Reads one row.
    ///
    /// - Parameters:
    ///   - place: where it stands, for refusals.
    ///   - fields: what its fields are called.
    public init(_ row: JSONValue, place: String, fields: Fields = .init()) throws(Refusal) {
        guard row.members != nil else {
            throw Refusal(place, "found \(row.summary), expected an object with a prompt")
        }
        self.row = row
        self.place = place
        switch row[fields.prompt] {
        case .string(let text)? where !text.isEmpty: form = .text(text)
        case .array(let messages)? where !messages.isEmpty: form = .conversation(messages)
        case let other:
            throw Refusal(
                "\(place): \(fields.prompt)",
                "found \(other?.summary ?? "nothing"), expected a text or a list of messages")
        }
        let expected = row[fields.answer]
        self.expected = expected == .null ? nil : expected
    }
}
