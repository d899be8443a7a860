internal import Foundation

/// What the kernel allows to keep away from a command: the network, and the processes that it
/// would leave behind.
public struct CommandIsolation: Sendable {
    /// What a command is started through.
    let launcher: [String]

    /// Whether a command reaches no network.
    public let hidesNetwork: Bool

    /// Starts commands as they are.
    public static let none = CommandIsolation(launcher: [], hidesNetwork: false)

    /// The ways, best first.
    ///
    /// Without the right to make namespaces, a user namespace gives it; in a process namespace
    /// nothing outlives the command, even what has left its process group.
    private static let ways = [
        ["--net", "--pid", "--fork", "--kill-child"],
        ["--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"],
        ["--net"],
        ["--user", "--map-root-user", "--net"],
    ]

    /// Tries what this kernel allows.
    public static func find() -> CommandIsolation {
        for way in ways {
            let launcher = ["unshare"] + way + ["--"]
            if runs(launcher + ["true"]) {
                return CommandIsolation(launcher: launcher, hidesNetwork: true)
            }
        }
        return .none
    }

    private static func runs(_ command: [String]) -> Bool {
        let trial = Process()
        trial.executableURL = URL(filePath: "/usr/bin/env")
        trial.arguments = command
        trial.standardInput = FileHandle.nullDevice
        trial.standardOutput = FileHandle.nullDevice
        trial.standardError = FileHandle.nullDevice
        do { try trial.run() } catch { return false }
        trial.waitUntilExit()
        return trial.terminationReason == .exit && trial.terminationStatus == 0
    }
}
