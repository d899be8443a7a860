import Logging
import SkeinCluster
import SkeinCore
import SkeinServer

/// Reads the files again that may change while a server runs: API keys, certificate, nodes' keys.
///
/// What cannot be read is one line, and what was there before stays.
struct Renewal: Sendable {
    let keys: KeysOption
    let served: ServedOptions
    /// The HTTP front; `nil` where nothing is served over HTTP.
    var server: HTTPFront?
    /// This host's part of a cluster; `nil` for `skein serve`.
    var host: ClusterHost?

    /// Reads all of it on every SIGHUP, until the task is cancelled.
    func run() async {
        await Hangups.each { await renew() }
    }

    /// Reads all of it once.
    func renew() async {
        var read: [String?] = []
        await read.append(attempt(renewAPIKeys))
        await read.append(attempt(renewIdentity))
        await read.append(attempt(renewNodeKeys))
        let words = read.compactMap(\.self)
        guard !words.isEmpty else { return }
        Console.say("read again: \(words.joined(separator: ", "))")
    }

    /// Reads one part; what cannot be read is said.
    private func attempt(
        _ read: () async throws(Refusal) -> String?
    ) async -> String? {
        do throws(Refusal) {
            return try await read()
        } catch {
            Console.say("not read again, the former stays: \(error)", level: .error)
            return nil
        }
    }

    private func renewAPIKeys() async throws(Refusal) -> String? {
        guard let path = keys.path, let server else { return nil }
        let renewed = try APIKeys(file: path, replacing: server.apiKeys)
        server.replaceKeys(by: renewed)
        return "\(renewed.count) API key(s) in \(path)"
    }

    private func renewIdentity() async throws(Refusal) -> String? {
        guard let server, let identity = try served.identity() else { return nil }
        server.replaceIdentity(by: identity)
        return "the certificate in \(served.certificateFile ?? "")"
    }

    private func renewNodeKeys() async throws(Refusal) -> String? { try await host?.renewKeys() }
}
