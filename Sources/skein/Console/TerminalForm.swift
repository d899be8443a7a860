import Foundation

/// How text may stand where it is shown: its width, and whether words may have a colour.
struct TerminalForm: Sendable {
    /// A colour of a word.
    enum Colour: Int, Sendable {
        /// All is well.
        case green = 32
        /// Somebody should look.
        case yellow = 33
        /// It does not serve.
        case red = 31
    }

    /// What everybody has, where the width is not known.
    static let columnCountUsual = 80

    /// Characters of a line at most.
    var columnCount = Self.columnCountUsual

    /// Whether words may have a colour.
    var isColoured = false

    /// What standard output is: a terminal says how wide it is; `NO_COLOR` (no-color.org) keeps
    /// it plain.
    static func standardOutput(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> TerminalForm {
        guard isatty(STDOUT_FILENO) == 1 else { return TerminalForm() }
        var form = TerminalForm()
        var size = winsize()
        if ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 {
            form.columnCount = Int(size.ws_col)
        }
        form.isColoured =
            (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
        return form
    }

    /// A word in a colour, where that may be.
    func coloured(_ word: String, _ colour: Colour?) -> String {
        guard isColoured, let colour else { return word }
        return "\u{1B}[\(colour.rawValue)m\(word)\u{1B}[0m"
    }

    /// Breaks a text between words into lines of the width.
    ///
    /// A word that is longer than a line is broken, too.
    ///
    /// - Parameter indentation: of the lines after the first, which keeps its own.
    func wrapped(_ text: String, indentation: Int) -> [String] {
        let width = max(columnCount, indentation + 8)
        let margin = String(repeating: " ", count: indentation)
        var lines: [String] = []
        var line = String(text.prefix { $0 == " " })
        for word in text.split(separator: " ") {
            var rest = word
            while true {
                let isFirst = line.allSatisfy { $0 == " " }
                let room = width - line.count - (isFirst ? 0 : 1)
                if rest.count <= room {
                    line += (isFirst ? "" : " ") + rest
                    break
                }
                if isFirst {
                    line += rest.prefix(room)
                    rest = rest.dropFirst(room)
                }
                lines.append(line)
                line = margin
            }
        }
        return lines + [line]
    }
}
