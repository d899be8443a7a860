import ArgumentParser
import SkeinCore
import SkeinServer

/// How a model is served over HTTP, on one machine or from a cluster's head.
struct ServedOptions: ParsableArguments {
    @Option(
        name: .customLong("tls-cert"), help: "A PEM file with the certificate: speaks https.")
    var certificateFile: String?

    @Option(name: .customLong("tls-key"), help: "A PEM file with the certificate's key.")
    var keyFile: String?

    @Option(
        name: .customLong("cors-origin"),
        help: "An origin whose web pages may call, or * (may be repeated).")
    var crossOrigins: [String] = []

    @Option(
        name: .customLong("max-output-tokens"),
        help: "Tokens of any answer at most; one that is cut ends for its length.")
    var newTokensMax: Int?

    @Option(
        name: .customLong("request-seconds-max"),
        help: "Seconds from a request's arrival to its last token at most.")
    var requestSecondsMax = Limits.httpRequestSecondsMax

    func validate() throws {
        guard (certificateFile == nil) == (keyFile == nil) else {
            throw ValidationError("expected both of --tls-cert and --tls-key, or none")
        }
        if let newTokensMax, !(1...Limits.positionsMax).contains(newTokensMax) {
            throw ValidationError(
                "--max-output-tokens: expected 1 to \(Limits.positionsMax), found \(newTokensMax)")
        }
        let secondsMax = 365 * 86_400
        guard (1...secondsMax).contains(requestSecondsMax) else {
            throw ValidationError(
                "--request-seconds-max: expected 1 to \(secondsMax), found \(requestSecondsMax)")
        }
    }

    /// The settings, with the certificate read and checked.
    func settings() throws(Refusal) -> FrontSettings {
        var settings = FrontSettings()
        if let certificateFile, let keyFile {
            settings.identity = try TLSIdentity(
                certificateFile: certificateFile, keyFile: keyFile)
        }
        if !crossOrigins.isEmpty { settings.crossOrigin = try CrossOriginRule(crossOrigins) }
        settings.newTokensMax = newTokensMax
        settings.requestBound = .seconds(requestSecondsMax)
        return settings
    }
}

extension FrontSettings {
    /// The scheme of the server's address.
    var scheme: String { identity == nil ? "http" : "https" }
}
