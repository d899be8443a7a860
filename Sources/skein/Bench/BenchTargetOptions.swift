public import ArgumentParser
public import SkeinBench
import SkeinCore

/// The server that is measured.
struct BenchTargetOptions: ParsableArguments {
    @Option(
        name: .customLong("base-url"),
        help: "The server's address, such as http://host:8080, with or without /v1.")
    var baseURL: String?

    @Option(help: "The server's host.")
    var host = "127.0.0.1"

    @Option(help: "The server's port.")
    var port = 8080

    @Option(help: "The form of requests: openai or openai-chat.")
    var backend: ServingTarget.Interface = .text

    @Option(help: "The path (default: the backend's).")
    var endpoint: String?

    @Option(help: "The model (default: the first that the server lists).")
    var model: String?

    @OptionGroup var access: HeadOptions

    @Option(name: .customLong("header"), help: "A header field, NAME=VALUE (may be repeated).")
    var headers: [String] = []

    @Option(name: .customLong("request-timeout"), help: "Seconds that one request may take.")
    var timeoutSeconds = 600.0

    @Option(help: "Send a request again, so often at most, where a 503 or 429 says when.")
    var retries = 0

    func validate() throws {
        guard (1...65_535).contains(port) else {
            throw ValidationError("--port: expected 1 to 65535, found \(port)")
        }
        guard timeoutSeconds > 0, timeoutSeconds <= 86_400 else {
            throw ValidationError("--request-timeout: expected above 0 and at most 86400")
        }
        guard (0...1_000).contains(retries) else {
            throw ValidationError("--retries: expected 0 to 1000, found \(retries)")
        }
    }

    /// The server, without the fields of its requests.
    func target() throws(Refusal) -> ServingTarget {
        var target = ServingTarget(
            baseURL: try address(), interface: backend, endpoint: try path())
        target.model = model
        target.apiKey = try ClientTrust.key(access.apiKey)
        target.security = try ClientTrust.security(
            certificates: access.certificates, trustsAnyone: access.insecure)
        for header in headers {
            let parts = header.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0].allSatisfy({ $0.isASCII && $0 > " " && $0 != ":" })
            else { throw Refusal("--header", "found '\(header)', expected NAME=VALUE") }
            target.headers.append((String(parts[0]), String(parts[1])))
        }
        target.timeout = .seconds(timeoutSeconds)
        target.retryCountMax = retries
        return target
    }

    private func address() throws(Refusal) -> String {
        if let baseURL { return try HeadAddress(parsing: baseURL, subject: "--base-url").text }
        guard !host.isEmpty, !host.contains(where: { "/?#@ ".contains($0) }) else {
            throw Refusal("--host", "found '\(host)', expected a name or an address")
        }
        let name = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        return try HeadAddress(parsing: "http://\(name):\(port)", subject: "--host").text
    }

    private func path() throws(Refusal) -> String? {
        guard let endpoint else { return nil }
        guard endpoint.hasPrefix("/"), endpoint.allSatisfy({ $0.isASCII && $0 > " " }) else {
            throw Refusal(
                "--endpoint", "found '\(endpoint)', expected a path such as /v1/completions")
        }
        return endpoint
    }
}

extension ServingTarget.Interface: ExpressibleByArgument {}

/// How the server draws its tokens.
struct BenchSamplingOptions: ParsableArguments {
    @Option(help: "Divides the logits; 0 is greedy.")
    var temperature = 0.0

    @Option(name: .customLong("top-p"), help: "Keep the most probable tokens up to this sum.")
    var topP: Double?

    @Option(name: .customLong("top-k"), help: "Keep this many most probable tokens.")
    var topK: Int?

    @Option(name: .customLong("min-p"), help: "Drop tokens below this share of the best.")
    var minP: Double?

    @Flag(name: .customLong("ignore-eos"), help: "Go on after the end-of-text token.")
    var ignoresEnd = false

    @Option(
        name: .customLong("extra-body"),
        help: "Further fields of every request, as a JSON object.")
    var extraBody: String?

    /// The fields of a request.
    func fields() throws(Refusal) -> [String: JSONValue] {
        var fields: [String: JSONValue] = ["temperature": .number(temperature)]
        if let topP { fields["top_p"] = .number(topP) }
        if let topK { fields["top_k"] = .integer(topK) }
        if let minP { fields["min_p"] = .number(minP) }
        if ignoresEnd { fields["ignore_eos"] = .bool(true) }
        guard let extraBody else { return fields }
        let value = try JSONValue(parsing: Array(extraBody.utf8), subject: "--extra-body")
        guard let extra = value.fields else {
            throw Refusal("--extra-body", "found \(value.summary), expected an object")
        }
        return fields.merging(extra) { $1 }
    }
}
