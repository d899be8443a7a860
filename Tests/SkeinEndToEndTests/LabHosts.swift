import Foundation
import Testing

/// Hosts of our own on this machine.
///
/// They are network namespaces with addresses in 10.77.0.0/24, joined by a bridge in one namespace
/// more. Nothing leaves them, and nothing of them stays.
final class LabHosts: Sendable {
    /// Whether this machine lets us make namespaces.
    static let arePermitted: Bool = {
        let probe = "skeinprobe\(ProcessInfo.processInfo.processIdentifier)"
        return shell("ip netns add \(probe) && ip netns del \(probe)")
    }()

    /// Hosts 1 to this.
    let count: Int
    /// Where cluster files, keys and logs lie.
    let folder: ScratchFolder
    private let prefix: String

    /// Makes the hosts.
    init(count: Int) throws {
        self.count = count
        folder = try ScratchFolder()
        prefix = "sk\(UUID().uuidString.prefix(6).lowercased())"
        var lines = [
            "ip netns add \(prefix)sw", "ip -n \(prefix)sw link add name sw0 type bridge",
            "ip -n \(prefix)sw link set sw0 up",
        ]
        for host in 1...count {
            let name = "\(prefix)\(host)"
            lines += [
                "ip netns add \(name)",
                "ip link add v\(host) netns \(name) type veth peer name w\(host) "
                    + "netns \(prefix)sw",
                "ip -n \(prefix)sw link set w\(host) master sw0 up",
                "ip -n \(name) addr add 10.77.0.\(host)/24 dev v\(host)",
                "ip -n \(name) link set v\(host) up", "ip -n \(name) link set lo up",
            ]
        }
        guard Self.shell(lines.joined(separator: " && ")) else {
            remove()
            throw CocoaError(.fileWriteUnknown)
        }
    }

    deinit { remove() }

    /// Ends every process of every host and removes the hosts.
    private func remove() {
        for name in (1...count).map({ "\(prefix)\($0)" }) + ["\(prefix)sw"] {
            _ = Self.shell("ip netns pids \(name) | xargs -r kill -9; ip netns del \(name)")
        }
    }

    /// What a command is run through on a host.
    func launcher(_ host: Int) -> [String] { ["ip", "netns", "exec", "\(prefix)\(host)"] }

    /// Starts the program on a host.
    func start(_ arguments: [String], on host: Int) throws -> RunningProgram {
        try SkeinProgram.start(arguments, through: launcher(host))
    }

    /// Asks a question over HTTP from a host, and returns the parsed answer.
    func ask(_ question: String, at address: String, from host: Int) async throws -> [String: Any] {
        let body: [String: Any] = [
            "messages": [["role": "user", "content": question]], "temperature": 0,
            "chat_template_kwargs": ["thinking": true],
        ]
        let text = String(
            decoding: try JSONSerialization.data(withJSONObject: body), as: UTF8.self)
        let run = try await RunningProgram(
            command: launcher(host) + [
                "curl", "-sS", "--max-time", "30", "-H", "Content-Type: application/json", "-d",
                text, address + "/v1/chat/completions",
            ]
        ).finish(secondsMax: 40)
        return try run.json()
    }

    /// Runs a line of shell and tells whether it went well.
    @discardableResult
    private static func shell(_ line: String) -> Bool {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", line]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
