import Foundation
import SkeinCore

/// `{"prompts": [[ids...], ...]}`.
enum PromptsFile {
    /// Reads the prompts; each has at least one token.
    static func read(_ path: String) throws(Refusal) -> [[TokenID]] {
        let document = try JSONValue(parsing: try TextFile.bytes(path), subject: path)
        guard let lists = document["prompts"]?.array else {
            throw Refusal(path, "expected {\"prompts\": [[ids...], ...]}")
        }
        guard !lists.isEmpty else { throw Refusal("\(path): prompts", "is empty") }
        var prompts: [[TokenID]] = []
        for (index, list) in lists.enumerated() {
            guard let values = list.array, !values.isEmpty else {
                throw Refusal(
                    "\(path): prompts[\(index)]", "expected a list of token ids, at least one")
            }
            var tokens: [TokenID] = []
            for (place, value) in values.enumerated() {
                guard let id = value.integer, (0..<Limits.vocabularyMax).contains(id) else {
                    throw Refusal(
                        "\(path): prompts[\(index)][\(place)]",
                        "found \(value.summary), expected a token id")
                }
                tokens.append(TokenID(id))
            }
            prompts.append(tokens)
        }
        return prompts
    }
}

/// Files of text that a person names on the command line.
enum TextFile {
    /// The file's bytes, within the limit.
    static func bytes(_ path: String) throws(Refusal) -> [UInt8] {
        let content: Data
        do {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            let size = (attributes[.size] as? NSNumber)?.intValue ?? 0
            guard size <= Limits.tokenizerFileBytesMax else {
                throw Refusal(
                    path, "has \(size) bytes, expected at most \(Limits.tokenizerFileBytesMax)")
            }
            content = try Data(contentsOf: URL(filePath: path))
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(path, "cannot be read: \(error.localizedDescription)")
        }
        return Array(content)
    }

    /// The file as UTF-8 text.
    static func read(_ path: String) throws(Refusal) -> String {
        guard let text = String(validating: try bytes(path), as: UTF8.self) else {
            throw Refusal(path, "is not UTF-8 text")
        }
        return text
    }
}
