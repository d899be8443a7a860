import Foundation
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import Testing

@testable import SkeinServer

/// TLS, browsers, bounds, names and measurements.
@Suite struct FrontSettingsTests {
    // MARK: Browsers

    @Test func aPageOfAnAdmittedOriginMayCall() async throws {
        var settings = FrontSettings()
        settings.crossOrigin = try CrossOriginRule(["https://a.example", "http://b.example:81"])
        let keys = try APIKeys(text: "secret\n", file: "keys")
        let server = try await TestServer(apiKeys: keys, settings: settings)
        let preflight = try await server.ask(
            "/v1/chat/completions", method: "OPTIONS",
            headers: [
                "Origin": "https://a.example", "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,x-stainless-os",
            ])
        #expect(preflight.status == 204)
        #expect(preflight.headers["access-control-allow-origin"] == "https://a.example")
        #expect(
            preflight.headers["access-control-allow-headers"] == "authorization,x-stainless-os")
        #expect(preflight.headers["access-control-allow-methods"]?.contains("POST") == true)
        // An error is readable for the page as well.
        let refused = try await server.ask("/v1/models", headers: ["Origin": "http://b.example:81"])
        #expect(refused.status == 401)
        #expect(refused.headers["access-control-allow-origin"] == "http://b.example:81")
        let stranger = try await server.ask("/health", headers: ["Origin": "https://c.example"])
        #expect(stranger.headers["access-control-allow-origin"] == nil)
        #expect(stranger.headers["vary"] == "Origin")
        await server.stop()
    }

    @Test func nobodyIsAdmittedUnasked() async throws {
        let server = try await TestServer.shared.value
        let reply = try await server.ask("/health", headers: ["Origin": "https://a.example"])
        #expect(reply.headers.keys.allSatisfy { !$0.hasPrefix("access-control") })
    }

    @Test(arguments: ["", "example.com", "https://", "https://a.example/", "https://a b", "ü://a"])
    func whatIsNoOriginIsRefused(_ text: String) {
        #expect(throws: Refusal.self) { try CrossOriginRule([text]) }
    }

    // MARK: Bounds and names

    @Test func anAnswerIsCutAtTheServersBound() async throws {
        var settings = FrontSettings()
        settings.newTokensMax = 3
        let server = try await TestServer(settings: settings)
        for fields in ["\"temperature\": 0", "\"max_tokens\": 50", "\"max_tokens\": 2"] {
            let reply = try await server.ask(
                "/v1/chat/completions", TestServer.chat("What is 47 + 85?", fields))
            let usage = try #require(try reply.json()["usage"] as? [String: Any])
            #expect(usage["completion_tokens"] as? Int == (fields.hasSuffix(" 2") ? 2 : 3))
            #expect(try reply.choices()[0]["finish_reason"] as? String == "length")
        }
        await server.stop()
    }

    @Test func aRequestKeepsTheNameThatItsClientGives() async throws {
        let server = try await TestServer.shared.value
        let named = try await server.ask("/health", headers: ["X-Request-Id": "my-name_1"])
        #expect(named.headers["x-request-id"] == "my-name_1")
        for name in [String(repeating: "a", count: 65), "two words", "ümlaut"] {
            let reply = try await server.ask("/health", headers: ["X-Request-Id": name])
            #expect(reply.headers["x-request-id"]?.hasPrefix("req_") == true)
        }
    }

    @Test func aDrainingServerSaysSoUntilItsLastAnswerIsOut() async throws {
        let server = try await TestServer()
        let asking = Task {
            try await server.ask(
                "/v1/chat/completions",
                TestServer.chat("Write.", "\"ignore_eos\": true, \"max_tokens\": 120"))
        }
        #expect(await server.becomes { $0.counts.ownedPageCount > 0 })
        let draining = Task { await server.drain(atMost: .seconds(60)) }
        var health = try await server.ask("/health")
        while health.status == 200 { health = try await server.ask("/health") }
        #expect(health.status == 503)
        #expect(try health.json()["status"] as? String == "down")
        #expect(try health.json()["reasons"] as? [String] == ["the server is shutting down"])
        let refused = try await server.ask("/v1/completions", "{\"prompt\": \"a\"}")
        #expect(refused.status == 503)
        let reply = try await asking.value
        #expect(try reply.choices()[0]["finish_reason"] as? String == "length")
        await draining.value
        await #expect(throws: (any Error).self) { try await server.ask("/health") }
        await server.stop()
    }

    // MARK: Measurements

    @Test func measurementsAddUpToWhatWasAsked() async throws {
        let server = try await TestServer(apiKeys: try APIKeys(text: "secret\n", file: "keys"))
        let body = TestServer.chat("What is 47 + 85?", "\"temperature\": 0, \"n\": 2")
        let reply = try await server.ask("/v1/chat/completions", body, key: "secret")
        let usage = try #require(try reply.json()["usage"] as? [String: Any])
        _ = try await server.ask("/v1/chat/completions", "{}", key: "secret")
        _ = try await server.ask("/nowhere", key: "secret")
        // The nodes have spoken once this is answered.
        _ = try await server.ask("/v1/cluster", key: "secret")
        let page = try await server.ask("/metrics")
        #expect(page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        let samples = try Samples(String(decoding: page.body, as: UTF8.self))
        let path = "path=\"/v1/chat/completions\""
        #expect(samples["skein_http_requests_total{\(path),status=\"200\"}"] == 1)
        #expect(samples["skein_http_requests_total{\(path),status=\"400\"}"] == 1)
        #expect(samples["skein_http_requests_total{path=\"other\",status=\"404\"}"] == 1)
        let model = "{model=\"gosling\"}"
        let drawn = try #require(usage["completion_tokens"] as? Int)
        #expect(samples["skein_completion_tokens_total\(model)"] == Double(drawn))
        #expect(samples["skein_prompt_tokens_total\(model)"] == 17)
        let finished = "{finish_reason=\"stop\",model=\"gosling\"}"
        #expect(samples["skein_answers_total\(finished)"] == 2)
        #expect(samples["gen_ai_server_time_to_first_token_seconds_count\(model)"] == 2)
        #expect(samples["gen_ai_server_time_per_output_token_seconds_count\(model)"] == 2)
        #expect(samples["skein_inter_token_latency_seconds_count\(model)"] == Double(drawn - 2))
        let endToEnd = try #require(samples["gen_ai_server_request_duration_seconds_sum\(model)"])
        let first = try #require(samples["gen_ai_server_time_to_first_token_seconds_sum\(model)"])
        let gaps = try #require(samples["skein_inter_token_latency_seconds_sum\(model)"])
        #expect(abs(first + gaps - endToEnd) < 1e-6)
        #expect(samples["skein_sequences_running"] == 0)
        #expect(samples["skein_cluster_ready"] == 1)
        #expect(samples["skein_cluster_verdict{verdict=\"ok\"}"] == 1)
        #expect(samples["skein_cluster_verdict{verdict=\"down\"}"] == 0)
        #expect(
            samples["skein_standbys_missing"] == 0
                && samples["skein_sequences_waiting_max"] ?? 0 > 0)
        #expect(samples["skein_prefix_cache_prompt_tokens_total"] ?? 0 >= 17)
        #expect(samples["skein_prefix_cache_hit_tokens_total"] != nil)
        #expect(samples["skein_prefix_cache_evicted_pages_total"] == 0)
        #expect(
            samples["process_open_fds"] ?? 0 > 3 && samples["process_cpu_seconds_total"] ?? 0 > 0)
        #expect(samples.names.contains { $0.hasPrefix("skein_build_info{version=\"") })
        for family in ["up", "state", "info", "silence_seconds", "round_trip_seconds"] {
            #expect(
                samples.names.contains { $0.hasPrefix("skein_node_\(family){node=\"") }, "\(family)"
            )
        }
        // What cannot be known is not there: no reason where all is well.
        #expect(!samples.names.contains { $0.hasPrefix("skein_health_reasons") })
        #expect(samples.names.contains { $0.hasPrefix("skein_stage_busy_seconds_total{node=") })
        await server.stop()
    }

    /// A page of measurements, read as strictly as the format is written.
    private struct Samples {
        private var values: [String: Double] = [:]
        var names: [String] { Array(values.keys) }

        init(_ text: String) throws {
            #expect(text.hasSuffix("\n"))
            var family = ""
            var seen: Set<String> = []
            var lines: Set<String> = []
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ", maxSplits: 3).map(String.init)
                if line.hasPrefix("# HELP ") {
                    family = words[2]
                    #expect(seen.insert(family).inserted)
                } else if line.hasPrefix("# TYPE ") {
                    #expect(words[2] == family)
                    #expect(["counter", "gauge", "histogram"].contains(words[3]))
                    Self.checkName(family, words[3])
                } else {
                    let cut = try #require(line.lastIndex(of: " "))
                    let name = String(line[..<cut])
                    #expect(name.hasPrefix(family))
                    #expect(lines.insert(name).inserted, "\(name)")
                    values[name] = Double(line[line.index(after: cut)...])
                    #expect(values[name] != nil, "\(line)")
                }
            }
        }

        subscript(name: String) -> Double? { values[name] }

        /// The rules of `promtool check metrics`: a counter ends in `_total` and nothing else does,
        /// parts that histograms are written with belong to them alone, units are base units, and
        /// neither a kind nor a capital letter stands in a name.
        static func checkName(_ name: String, _ kind: String) {
            #expect(name.hasSuffix("_total") == (kind == "counter"), "\(name)")
            if kind != "histogram" {
                for end in ["_bucket", "_count", "_sum", "_info_total"] {
                    #expect(!name.hasSuffix(end), "\(name)")
                }
            }
            #expect(name.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "_" }, "\(name)")
            let words = name.split(separator: "_").map(String.init)
            let wrong: Set = [
                "ms", "milliseconds", "us", "microseconds", "ns", "nanoseconds", "minutes", "hours",
                "days", "kb", "mb", "gb", "kilobytes", "megabytes", "bits", "percent", "gauge",
                "counter", "histogram", "summary",
            ]
            #expect(wrong.isDisjoint(with: words), "\(name)")
        }
    }

    // MARK: TLS

    @Test func aServerWithACertificateSpeaksTLS() async throws {
        let pair = try await Certificates.make()
        var settings = FrontSettings()
        settings.identity = try TLSIdentity(certificateFile: pair.certificate, keyFile: pair.key)
        let server = try await TestServer(settings: settings)
        let address = "https://localhost:\(server.port)/v1/models"
        let resolve = [
            "--resolve", "localhost:\(server.port):127.0.0.1", "-sS", "--max-time", "20",
        ]
        let reply = try await RawConversation.run(
            "curl", resolve + ["--cacert", pair.certificate, address])
        #expect(reply.contains("\"gosling\""))
        // Who does not trust the certificate gets nothing, and neither does plain HTTP.
        #expect(try await RawConversation.run("curl", resolve + [address]).isEmpty)
        await #expect(throws: (any Error).self) { try await server.ask("/health") }
        await server.stop()
    }

    @Test func whatDoesNotFitIsRefusedByName() async throws {
        let (pair, other) = (try await Certificates.make(), try await Certificates.make())
        let wrong = [
            ("/nonexistent/cert.pem", pair.key, "/nonexistent/cert.pem"),
            (pair.certificate, "/nonexistent/key.pem", "/nonexistent/key.pem"),
            (pair.key, pair.key, pair.key), (pair.certificate, pair.certificate, pair.certificate),
            (pair.certificate, other.key, other.key), ("/dev/null", pair.key, "/dev/null"),
        ]
        for (certificate, key, named) in wrong {
            #expect {
                _ = try TLSIdentity(certificateFile: certificate, keyFile: key)
            } throws: { error in
                let line = (error as? Refusal)?.description ?? ""
                return line.hasPrefix("\(named): ") && !line.contains("\n")
            }
        }
    }
}

/// Certificates made for one test, valid for a day.
private enum Certificates {
    static func make() async throws -> (certificate: String, key: String) {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "skein-tls-\(UUID().uuidString)").path(percentEncoded: false)
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let pair = (certificate: folder + "/cert.pem", key: folder + "/key.pem")
        _ = try await RawConversation.run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
                "subjectAltName=DNS:localhost", "-keyout", pair.key, "-out", pair.certificate,
            ])
        return pair
    }
}
