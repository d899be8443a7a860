internal import Hummingbird
internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinTelemetry
internal import SkeinText
internal import Synchronization

/// The front's tally, shared by all connections.
final class FrontMetrics: Sendable {
    private let kept = Mutex(FrontTally())

    /// What was measured so far.
    var tally: FrontTally { kept.withLock { $0 } }

    /// A request was answered.
    func onResponse(path: String, status: Int) {
        kept.withLock { $0.onResponse(path: path, status: status) }
    }

    /// An answer has got tokens, some time after those before.
    func onGap(_ gap: Duration) { kept.withLock { $0.onGap(gap) } }

    /// A completion is over, whole or not.
    func onCompletion(_ route: CompletionRoute) {
        let (usage, timelines, words) = (route.usage, route.timelines, route.finishWords)
        kept.withLock { $0.onCompletion(usage, timelines: timelines, finishWords: words) }
    }
}

extension FrontRoutes {
    /// The measurements, for Prometheus.
    ///
    /// A scrape asks no node: what the cluster says is one heartbeat old at most.
    func metricsPage() async -> Response {
        var page = MetricsPage(model: service.modelName)
        page.add(metrics.tally)
        page.add(await service.coordinator.scheduleCounts)
        let status = await service.coordinator.status()
        page.add(status)
        page.add(
            await service.coordinator.health(probing: false, isDraining: isDraining).verdict)
        page.add(version: status.softwareVersion, process: ProcessFigures.now())
        return Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: page.text)))
    }

    /// What programs that prepare their own tokens ask for; the names are vLLM's.
    func tokenizerFacts() throws(APIError) -> JSONValue {
        let setup = try service.setup(for: "tokenizer")
        let end = service.endTokens.min()
        return .fields([
            "tokenizer_class": .string("skein"),
            "bos_token": setup.beginToken.map { .string(service.text(of: $0)) } ?? .null,
            "eos_token": end.map { .string(service.text(of: $0)) } ?? .null,
            "vocab_size": .count(service.vocabularySize),
            "model_max_length": .count(service.positionCountMax),
        ])
    }
}
