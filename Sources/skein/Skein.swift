import ArgumentParser
import Foundation
import SkeinCore
import SkeinTensor

/// The one program: each command is a file beside this one.
@main
struct Skein: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "skein",
        abstract: "Serves models of the DeepSeek-V3 architecture from a cluster of CPU hosts.",
        version: SoftwareVersion.text,
        subcommands: [
            Up.self, RunNode.self, Serve.self, Generate.self, Score.self, Rollout.self,
            Eval.self, Inspect.self, Plan.self, Health.self, Down.self, Drain.self, Bench.self,
            Trace.self,
            Synth.self, Keys.self, Check.self,
        ])

    /// Runs a command and maps its outcome to the exit codes others script against:
    /// 0 fine, 1 a clear error on one line, 2 wrong usage.
    static func main() async {
        // A reader that goes away (`skein generate | head`) is an error to report, not a signal.
        signal(SIGPIPE, SIG_IGN)
        do {
            try Kernels.checkChoice()
            if let line = UnknownCommand.line(Array(CommandLine.arguments.dropFirst())) {
                Console.standardError(line)
                Foundation.exit(2)
            }
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let refusal as Refusal {
            Console.fail(refusal.description)
        } catch let code as ExitCode {
            Foundation.exit(code.rawValue)
        } catch is CancellationError {
            Foundation.exit(130)
        } catch {
            leave(on: error)
        }
    }

    /// Prints help or a usage error, or an unforeseen error as one line.
    private static func leave(on error: any Error) -> Never {
        let code = exitCode(for: error)
        if code == .success {
            print(fullMessage(for: error))
            Foundation.exit(0)
        }
        if code == .validationFailure {
            Console.standardError(fullMessage(for: error))
            Foundation.exit(2)
        }
        Console.fail(String(describing: error))
    }
}
