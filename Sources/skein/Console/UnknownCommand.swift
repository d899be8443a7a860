import ArgumentParser
import SkeinCore

/// A word in the place of a command that is none; the parser would only call it unexpected.
enum UnknownCommand {
    /// The line that says so, and which command was probably meant; `nil` where all is well.
    ///
    /// - Parameter arguments: what stands behind the program's name.
    static func line(_ arguments: [String]) -> String? {
        var command: any ParsableCommand.Type = Skein.self
        var path = Skein._commandName
        for word in arguments {
            let known = command.configuration.subcommands
            guard !known.isEmpty, !word.hasPrefix("-"), word != "help" else { return nil }
            guard let next = known.first(where: { $0._commandName == word }) else {
                let names = known.map { $0._commandName }
                let hint = NearName.of(word, among: names).map { "did you mean '\($0)'?" }
                return "skein: error: '\(PlainText(word, charactersMax: 60))' is no command of "
                    + "'\(path)', \(hint ?? "expected \(names.joined(separator: ", "))")"
            }
            command = next
            path += " \(word)"
        }
        return nil
    }
}
