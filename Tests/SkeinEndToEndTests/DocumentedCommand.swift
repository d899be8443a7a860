import Foundation

// What the documents show: commands that start with `skein`, and blocks that run as they are.

/// A command of a document.
struct DocumentedCommand: CustomStringConvertible {
    let path: String
    let line: Int
    /// What follows `skein`.
    let words: [String]

    var description: String { "\(path):\(line): skein \(words.joined(separator: " "))" }
}

/// A code block of a document.
struct DocumentedBlock: CustomStringConvertible {
    let path: String
    let line: Int
    /// What stands behind the opening fence; `sh` for commands that run as they are.
    let language: String
    let lines: [String]

    /// What it needs beside the bundled model: the first line's comment `# needs …`.
    var need: String? {
        let mark = "# needs "
        return lines.first.flatMap { $0.hasPrefix(mark) ? String($0.dropFirst(mark.count)) : nil }
    }

    var description: String { "\(path):\(line)" }
}

/// A document in Markdown, cut into blocks of code and the rest.
struct CommandDocument {
    private(set) var blocks: [DocumentedBlock] = []
    /// The commands of all blocks, and those in back quotes.
    private(set) var commands: [DocumentedCommand] = []

    /// Every document that people read.
    static let all: [CommandDocument] = {
        let root = SkeinProgram.root.path()
        let folders = ["", "cluster", "cluster/lab", "proto", "Sources/SkeinCore/Skein.docc"]
        return folders.flatMap { folder in
            ((try? FileManager.default.contentsOfDirectory(atPath: root + folder)) ?? []).sorted()
                .filter { $0.hasSuffix(".md") }.map { folder.isEmpty ? $0 : "\(folder)/\($0)" }
        }.map { path in
            let bytes = FileManager.default.contents(atPath: root + path) ?? Data()
            return CommandDocument(path: path, text: String(decoding: bytes, as: UTF8.self))
        }
    }()

    init(path: String, text: String) {
        var open: (line: Int, language: String, lines: [String])?
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let trimmed = line.drop { $0 == " " }
            if trimmed.hasPrefix("```") {
                if let block = open {
                    blocks.append(
                        DocumentedBlock(
                            path: path, line: block.line, language: block.language,
                            lines: block.lines))
                    open = nil
                } else {
                    open = (index + 1, String(trimmed.dropFirst(3)), [])
                }
            } else if open != nil {
                open?.lines.append(String(trimmed))
            } else {
                commands += Self.quoted(path: path, line: index + 1, text: line)
            }
        }
        for block in blocks { commands += Self.commands(of: block) }
    }

    /// Commands of a block; a line that ends with `\` goes on in the next.
    private static func commands(of block: DocumentedBlock) -> [DocumentedCommand] {
        var commands: [DocumentedCommand] = []
        var begun = ""
        for (index, line) in block.lines.enumerated() {
            begun += line
            if begun.hasSuffix("\\") {
                begun.removeLast()
                continue
            }
            // Two blanks or a number sign begin what is said about the command.
            let shown = begun.split(separator: " #").first.map(String.init) ?? ""
            let text = shown.firstRange(of: "  ").map { String(shown[..<$0.lowerBound]) } ?? shown
            if let words = words(of: text) {
                commands.append(
                    DocumentedCommand(path: block.path, line: block.line + index + 1, words: words))
            }
            begun = ""
        }
        return commands
    }

    private static func quoted(
        path: String, line: Int, text: Substring
    ) -> [DocumentedCommand] {
        text.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }
            .compactMap { words(of: String($0.element)) }
            .map { DocumentedCommand(path: path, line: line, words: $0) }
    }

    private static func words(of text: String) -> [String]? {
        let words = text.split(separator: " ").map(String.init)
        guard words.count > 1, ["skein", ".build/release/skein"].contains(words[0]) else {
            return nil
        }
        return Array(words.dropFirst())
    }
}

/// A command of the program and its options, as the program itself describes them.
struct CommandOutline: Decodable {
    private struct Whole: Decodable { let command: CommandOutline }
    private struct Option: Decodable {
        struct Name: Decodable { let name: String }
        let names: [Name]?
    }

    private let commandName: String
    private let arguments: [Option]?
    private let subcommands: [CommandOutline]?

    /// Reads what `skein --experimental-dump-help` prints.
    static func program(_ output: String) throws -> CommandOutline {
        try JSONDecoder().decode(Whole.self, from: Data(output.utf8)).command
    }

    /// What is wrong with a command's words; `nil` where all names exist.
    func fault(in words: [String]) -> String? {
        if let next = words.first, let subcommands, !subcommands.isEmpty, !next.hasPrefix("-") {
            guard let command = subcommands.first(where: { $0.commandName == next }) else {
                return "there is no command '\(next)'"
            }
            return command.fault(in: Array(words.dropFirst()))
        }
        let known = Set((arguments ?? []).flatMap { $0.names ?? [] }.map(\.name) + ["help"])
        for word in words {
            let name = word.drop { "[(".contains($0) }.prefix { !"=])".contains($0) }
            guard name.hasPrefix("--"), !known.contains(String(name.dropFirst(2))) else { continue }
            return "'\(commandName)' has no option '\(name)'"
        }
        return nil
    }
}
