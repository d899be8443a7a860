public import ArgumentParser
public import Logging
import SkeinCluster

/// How much is said on standard error, and how it is written.
struct LogOption: ParsableArguments {
    @Option(
        name: .customLong("log-level"),
        help: "trace, debug, info, notice, warning, error or critical.")
    var level: Logger.Level = .warning

    @Option(
        name: .customLong("log-format"),
        help: "text, or json with one object a line; it holds for every line.")
    var format: LogFormat = .text

    /// From the moment the options are read, every line of standard error has the format.
    func validate() throws { Console.format = format }

    /// A logger that writes to standard error.
    func logger(_ label: String) -> Logger {
        var logger = Logger(label: label) { LineLogHandler(label: $0, format: format) }
        logger.logLevel = level
        return logger
    }

    /// The same for nodes that are processes of their own.
    var nodeLog: NodeLog { NodeLog(level: level.rawValue, format: format.rawValue) }
}

/// How a line of the log is written.
enum LogFormat: String, ExpressibleByArgument, Sendable {
    /// For people.
    case text
    /// For programs.
    case json
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
