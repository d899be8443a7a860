import Foundation
import SkeinCore

/// Reads prompts from a file; whatever is wrong in it is said with the place in the file.
enum PromptFile {
    /// A prompt of a file; the answer's length may have to be counted still.
    struct Entry: Equatable, Sendable {
        let prompt: String
        /// Tokens of the answer at most, where the file or a flag says so.
        var outputTokenCount: Int?
        /// The answer of the file, whose tokens tell the wanted length.
        var answer: String?
    }

    /// Reads one JSON object a line: `{"prompt": TEXT, "output_len": N}`, the length if one likes.
    static func lines(path: String, outputTokenCount: Int) throws(Refusal) -> [Entry] {
        var entries: [Entry] = []
        var number = 0
        for line in try bytes(of: path).split(separator: 0x0A, omittingEmptySubsequences: false) {
            number += 1
            guard line.contains(where: { $0 != 0x20 && $0 != 0x0D && $0 != 0x09 }) else { continue }
            let place = "\(path):\(number)"
            let value = try JSONValue(parsing: Array(line), subject: place, rules: .lenient)
            guard let fields = value.fields else {
                throw Refusal(
                    place, "found \(value.summary), expected an object such as {\"prompt\": \"…\"}")
            }
            let prompt = try text(fields["prompt"], "\(place): prompt")
            var count = outputTokenCount
            if let wanted = fields["output_len"], wanted != .null {
                guard let found = wanted.count, (1...Limits.positionsMax).contains(found) else {
                    throw Refusal(
                        "\(place): output_len",
                        "found \(wanted.summary), expected a number of tokens, at least 1")
                }
                count = found
            }
            entries.append(Entry(prompt: prompt, outputTokenCount: count))
            try checkCount(entries.count, path)
        }
        guard !entries.isEmpty else { throw Refusal(path, "holds no prompts") }
        return entries
    }

    /// Reads ShareGPT's form, a list of `{"conversations": [{"from": …, "value": TEXT}, …]}`: the
    /// first turn is the prompt, the second the answer whose length is wanted.
    static func shareGPT(path: String, outputTokenCount: Int?) throws(Refusal) -> [Entry] {
        let value = try JSONValue(
            parsing: try bytes(of: path), subject: path, rules: .lenient)
        guard let conversations = value.elements else {
            throw Refusal(path, "found \(value.summary), expected a list of conversations")
        }
        try checkCount(conversations.count, path)
        var entries: [Entry] = []
        for (index, conversation) in conversations.enumerated() {
            let place = "\(path): [\(index)].conversations"
            let listed =
                conversation.fields?["conversations"] ?? conversation.fields?["conversation"]
            guard let turns = listed?.elements else {
                throw Refusal(
                    place,
                    "found \(listed?.summary ?? "nothing"), expected a list of turns "
                        + "{\"from\": …, \"value\": …}")
            }
            // The published file has conversations of one turn, which ask for no answer.
            guard turns.count >= 2 else { continue }
            let prompt = try text(turns[0].fields?["value"], "\(place)[0].value")
            let answer = try text(turns[1].fields?["value"], "\(place)[1].value", mayBeEmpty: true)
            guard !answer.isEmpty else { continue }
            entries.append(
                Entry(prompt: prompt, outputTokenCount: outputTokenCount, answer: answer))
        }
        guard !entries.isEmpty else {
            throw Refusal(path, "holds no conversation of at least two turns")
        }
        return entries
    }

    private static func text(
        _ value: JSONValue?, _ place: String, mayBeEmpty: Bool = false
    ) throws(Refusal) -> String {
        guard let text = value?.string, mayBeEmpty || !text.isEmpty else {
            throw Refusal(place, "found \(value?.summary ?? "nothing"), expected a text")
        }
        return text
    }

    private static func checkCount(_ count: Int, _ path: String) throws(Refusal) {
        guard count <= Limits.loadRequestsMax else {
            throw Refusal(path, "more than \(Limits.loadRequestsMax) prompts")
        }
    }

    private static func bytes(of path: String) throws(Refusal) -> [UInt8] {
        do {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            let size = (attributes[.size] as? NSNumber)?.intValue ?? 0
            guard size <= Limits.promptFileBytesMax else {
                throw Refusal(
                    path, "\(size) bytes, expected at most \(Limits.promptFileBytesMax)")
            }
            return Array(try Data(contentsOf: URL(filePath: path)))
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(path, "cannot be read: \(error.localizedDescription)")
        }
    }
}
