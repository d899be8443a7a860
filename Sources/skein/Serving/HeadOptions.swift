import ArgumentParser
import Foundation
import SkeinCore

/// How a command that asks a head shows itself, and whom it trusts.
struct HeadOptions: ParsableArguments {
    @Option(
        name: .customLong("api-key"),
        help: "A key that the server knows (or SKEIN_API_KEY or OPENAI_API_KEY is set).")
    var apiKey: String?

    @Option(name: .customLong("ca-cert"), help: "A file of certificates to trust, for https.")
    var certificates: String?

    @Flag(help: "Trust any certificate; anyone in between can then answer for the server.")
    var insecure = false

    func validate() throws {
        guard certificates == nil || !insecure else {
            throw ValidationError("expected at most one of --ca-cert and --insecure")
        }
    }

    /// Opens a client of a head.
    ///
    /// - Parameter connectionCount: questions at a time that get a connection each.
    /// - Throws: a `Refusal` where the key or the certificates cannot be used.
    func client(of address: HeadAddress, connectionCount: Int = 8) throws(Refusal) -> HeadClient {
        try HeadClient(
            address, apiKey: apiKey, certificates: certificates, trustsAnyone: insecure,
            connectionCount: connectionCount)
    }

    /// Tells a wrong `--url` while the command line is read.
    static func check(url: String) throws {
        do throws(Refusal) {
            _ = try HeadAddress(parsing: url, subject: "--url")
        } catch {
            throw ValidationError(error.description)
        }
    }
}
