public import ArgumentParser
public import Logging

/// How much is said on standard error.
struct LogOption: ParsableArguments {
    @Option(
        name: .customLong("log-level"),
        help: "trace, debug, info, notice, warning, error or critical.")
    var level: Logger.Level = .warning

    @Option(name: .customLong("log-format"), help: "text, or json with one object a line.")
    var format: LogFormat = .text

    /// A logger that writes to standard error.
    func logger(_ label: String) -> Logger {
        var logger = Logger(label: label) { label -> any LogHandler in
            switch format {
            case .text: StreamLogHandler.standardError(label: label)
            case .json: JSONLogHandler(label: label)
            }
        }
        logger.logLevel = level
        return logger
    }
}

/// How a line of the log is written.
enum LogFormat: String, ExpressibleByArgument, Sendable {
    /// For people.
    case text
    /// For programs.
    case json
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
