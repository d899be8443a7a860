import ArgumentParser
import Foundation
import Testing

@testable import skein

/// What the program makes of its arguments, before anything is opened.
@Suite struct CommandLineTests {
    private static func parse<Command: ParsableCommand>(
        _ type: Command.Type, _ arguments: String...
    ) throws -> Command {
        try #require(try Skein.parseAsRoot(arguments) as? Command)
    }

    /// Every command, the groups included.
    static let commands: [any ParsableCommand.Type] = {
        var found: [any ParsableCommand.Type] = [Skein.self]
        var place = 0
        while place < found.count {
            found += found[place].configuration.subcommands
            place += 1
        }
        return found
    }()

    // MARK: Models

    @Test(arguments: [["--model", "models/a"], ["models/a"]])
    func aModelIsNamedByItsOptionOrByItself(_ arguments: [String]) throws {
        for command in [
            ["serve"], ["generate", "--prompt", "x"], ["score", "--text-file", "x"], ["inspect"],
            ["plan", "--hosts", "h.yaml"], ["bench", "model"], ["bench", "kernels"],
            ["bench", "pipeline"], ["rollout", "--prompts", "p", "--out", "o"],
        ] {
            let parsed = try Skein.parseAsRoot(command + arguments)
            #expect(Self.model(of: parsed)?.path == "models/a", "\(command)")
        }
    }

    private static func model(of command: any ParsableCommand) -> ModelOption? {
        switch command {
        case let command as Serve: command.model
        case let command as Generate: command.model
        case let command as Score: command.model
        case let command as Inspect: command.model
        case let command as Plan: command.model
        case let command as BenchModel: command.model
        case let command as BenchKernels: command.model
        case let command as BenchPipeline: command.model
        case let command as Rollout: command.model
        default: nil
        }
    }

    @Test func twoModelsAreRefused() {
        let error = #expect(throws: (any Error).self) {
            try Skein.parseAsRoot(["serve", "--model", "a", "b"])
        }
        #expect(error.map { Skein.message(for: $0) }?.contains("found --model a and b") == true)
    }

    @Test func withoutAModelTheBundledOneIsMeant() throws {
        #expect(try Self.parse(Serve.self, "serve").model.path == nil)
    }

    // MARK: Refusals

    /// A wrong use, and what its message names.
    struct Misuse: Sendable, CustomTestStringConvertible {
        let arguments: [String]
        let names: [String]
        var testDescription: String { arguments.joined(separator: " ") }

        init(_ line: String, naming names: String...) {
            arguments = line.split(separator: " ").map(String.init)
            self.names = names
        }
    }

    @Test(arguments: [
        Misuse("serve --stages 0", naming: "--stages", "1 to"),
        Misuse("serve --stages 100000", naming: "--stages", "100000"),
        Misuse("serve --experts -1", naming: "--experts"),
        Misuse("serve --threads 0", naming: "--threads", "found 0"),
        Misuse("serve --context 0", naming: "--context"),
        Misuse("serve --port 65536", naming: "--port", "65536"),
        Misuse("serve --port -1", naming: "--port"),
        Misuse("serve --port http", naming: "--port", "http"),
        Misuse("serve --placement ring", naming: "--placement", "ring"),
        Misuse("serve --weights int3", naming: "--weights", "int3"),
        Misuse("serve --modle x", naming: "--modle", "--model"),
        Misuse("generate", naming: "--prompt"),
        Misuse("generate --prompt a --chat b", naming: "--prompt", "--chat"),
        Misuse("generate --prompt a --temperature 101", naming: "--temperature", "0 to 100"),
        Misuse("generate --prompt a --top-p 0", naming: "--top-p"),
        Misuse("generate --prompt a --top-p 1.5", naming: "--top-p"),
        Misuse("generate --prompt a --min-p 2", naming: "--min-p"),
        Misuse("generate --prompt a --max-tokens 0", naming: "--max-tokens"),
        Misuse("generate --prompt a --logprobs 1000", naming: "--logprobs"),
        Misuse("generate --prompt a --system b", naming: "--system", "--chat"),
        Misuse("score", naming: "--text-file"),
        Misuse("inspect --config c --model m", naming: "--config", "--model"),
        Misuse("inspect --config c m", naming: "--config", "--model"),
        Misuse("plan", naming: "--hosts"),
        Misuse("up", naming: "cluster"),
        Misuse("node --cluster c", naming: "--name"),
        Misuse("trace --url http://h --seconds 0", naming: "--seconds"),
        Misuse("bench kernels --threads 0", naming: "--threads"),
        Misuse("bench serve --retries -1", naming: "--retries"),
        Misuse("bench serve --port 0", naming: "--port"),
        Misuse("bench compare one", naming: "after"),
        Misuse("keys show", naming: "file"),
    ])
    func aWrongUseNamesWhatIsWrong(_ misuse: Misuse) throws {
        let error = try #require(
            #expect(throws: (any Error).self) { try Skein.parseAsRoot(misuse.arguments) })
        #expect(Skein.exitCode(for: error) == .validationFailure)
        let message = Skein.message(for: error)
        for name in misuse.names { #expect(message.contains(name), "\(message)") }
    }

    @Test(arguments: [
        ("serv", "'serv' is no command of 'skein', did you mean 'serve'?"),
        ("generat --prompt x", "did you mean 'generate'?"), ("nod", "did you mean 'node'?"),
        ("benhc serve", "did you mean 'bench'?"),
        ("bench servr", "'servr' is no command of 'skein bench', did you mean 'serve'?"),
        ("keys neu", "'neu' is no command of 'skein keys', did you mean 'new'?"),
        ("download x/y", "'download' is no command of 'skein', expected up, node, serve"),
        ("bench x", "expected serve, model, kernels, pipeline"),
    ])
    func aMistypedCommandIsToldWhichWasMeant(_ line: String, _ words: String) {
        let said = UnknownCommand.line(line.split(separator: " ").map(String.init))
        #expect(said?.contains(words) == true, "\(said ?? "nothing")")
        #expect(said?.contains("\n") == false)
    }

    @Test(arguments: [
        "", "--help", "--version", "help", "help serve", "serve", "serve models/a",
        "serve --host h",
        "bench", "bench serve", "bench --help", "keys new --out x", "up cluster.yaml", "-h",
    ])
    func whatIsACommandIsLeftToTheParser(_ line: String) {
        #expect(UnknownCommand.line(line.split(separator: " ").map(String.init)) == nil)
    }

    // MARK: Help

    @Test func everyCommandAndOptionIsDescribed() {
        for command in Self.commands {
            let configuration = command.configuration
            #expect(configuration.abstract.hasSuffix("."), "\(command)")
            let help = Skein.helpMessage(for: command, columns: 100)
            let options = help.split(separator: "\n").filter { $0.hasPrefix("  -") }
            // A description stands beside its option or, where that is long, in the next line.
            for line in help.split(separator: "\n") where line.hasPrefix("  --") {
                let isAlone = !line.dropFirst(2).contains("  ")
                #expect(!isAlone || line.count > 24, "\(command): \(line)")
            }
            #expect(!options.isEmpty, "\(command)")
        }
    }

    /// An option that a help text speaks of is one of the same command.
    @Test func helpNamesNoOptionThatIsNotThere() throws {
        let everywhere = Self.commands.map { command in
            let help = Skein.helpMessage(for: command, columns: 400)
            // What a group says of its commands is theirs.
            return help.components(separatedBy: "SUBCOMMANDS:")[0]
        }
        for (command, help) in zip(Self.commands, everywhere) {
            let lines = help.split(separator: "\n").map(String.init)
            let declared = lines.filter { $0.hasPrefix("  -") }.joined(separator: "\n")
            let names = Set(help.matches(of: /--[a-z][a-z0-9-]*/).map { String($0.output) })
            for name in names where !declared.contains(name) {
                // Another command's option may be spoken of by its command's name.
                let others = zip(Self.commands, everywhere).filter { other, text in
                    help.contains("\(other._commandName)'") && text.contains(name)
                }
                #expect(!others.isEmpty, "\(command._commandName): \(name)")
            }
        }
    }
}
