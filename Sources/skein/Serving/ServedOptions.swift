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

    @Option(
        name: .customLong("lost-node-wait-seconds"),
        help: "Seconds for which a request waits for a lost node before it is refused.")
    var lostNodeSecondsMax = Limits.lostNodeSecondsMax

    @Option(
        name: .customLong("served-model-name"),
        help: "A name by which clients ask for the model; repeat it for more, the first is shown.")
    var names: [String] = []

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
        guard (0...secondsMax).contains(lostNodeSecondsMax) else {
            throw ValidationError(
                "--lost-node-wait-seconds: expected 0 to \(secondsMax), "
                    + "found \(lostNodeSecondsMax)")
        }
        for name in names
        where !(1...Self.nameBytesMax).contains(name.utf8.count)
            || name.unicodeScalars.contains(where: { $0.value < 0x21 || $0.value == 0x7F })
        {
            throw ValidationError(
                "--served-model-name: found '\(name)', expected 1 to \(Self.nameBytesMax) bytes "
                    + "without spaces")
        }
    }

    /// Bytes of a model's name: twice the longest on the model hubs.
    private static let nameBytesMax = 200

    /// The names by which clients may ask for the model in a folder; the first is shown.
    func modelNames(folder: String) -> [String] {
        names.isEmpty ? [ServedModel.name(folder: folder)] : names
    }

    /// The certificate and its key, read and checked; `nil` for plain HTTP.
    func identity() throws(Refusal) -> TLSIdentity? {
        guard let certificateFile, let keyFile else { return nil }
        return try TLSIdentity(certificateFile: certificateFile, keyFile: keyFile)
    }

    /// The settings, with the certificate read and checked.
    func settings() throws(Refusal) -> FrontSettings {
        var settings = FrontSettings()
        settings.identity = try identity()
        if !crossOrigins.isEmpty { settings.crossOrigin = try CrossOriginRule(crossOrigins) }
        settings.newTokensMax = newTokensMax
        settings.requestBound = .seconds(requestSecondsMax)
        settings.lostNodeBound = .seconds(lostNodeSecondsMax)
        return settings
    }
}

extension FrontSettings {
    /// The scheme of the server's address.
    var scheme: String { identity == nil ? "http" : "https" }
}
