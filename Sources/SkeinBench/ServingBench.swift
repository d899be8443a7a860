import Foundation
import SkeinCore

/// Measures how a server bears a load, from finding its model to the report.
public struct ServingBench: Sendable {
    private let options: ServingOptions
    private let client: ServingClient
    private let onProgress: @Sendable (ServingProgress) -> Void

    /// Prepares a measurement.
    ///
    /// - Parameter onProgress: called as requests end, never on the thread that measures.
    public init(
        _ options: ServingOptions, onProgress: @escaping @Sendable (ServingProgress) -> Void
    ) {
        self.init(options, client: ServingClient(options.target), onProgress: onProgress)
    }

    init(
        _ options: ServingOptions, client: ServingClient,
        onProgress: @escaping @Sendable (ServingProgress) -> Void = { _ in }
    ) {
        self.options = options
        self.onProgress = onProgress
        self.client = client
    }

    /// Measures; a cancelled task ends the load early and reports what there is.
    ///
    /// - Throws: a `Refusal` where the server cannot be used or the prompts cannot be read, and
    ///   `CancellationError` where it is cancelled before the load has begun.
    public func run() async throws -> ServingReport {
        let (shown, show) = AsyncStream.makeStream(
            of: ServingProgress.self, bufferingPolicy: .bufferingNewest(1))
        let onProgress = onProgress
        let watcher = Task { for await progress in shown { onProgress(progress) } }
        do {
            let report = try await measure { show.yield($0) }
            show.finish()
            await watcher.value
            await client.stop()
            return report
        } catch {
            show.finish()
            await watcher.value
            await client.stop()
            throw error
        }
    }

    // MARK: Rooms

    private func measure(
        show: @escaping @Sendable (ServingProgress) -> Void
    ) async throws -> ServingReport {
        let card = try await ModelCard.fetch(from: client)
        var prepared = try await PreparedPrompts.prepare(options, card: card, client: client)
        try Task.checkCancellation()
        let phases = ServingPhases(
            options: options, client: client, model: card.name, onProgress: show)
        var report = ServingReport(options, card: card, warnings: prepared.warnings)
        try await phases.warmUp(&prepared.prompts)
        report.singleStream = try await phases.singleStream(&prepared.prompts)
        if let sweep = options.sweep {
            let first = Self.firstRate(after: report.singleStream)
            try await phases.sweep(sweep, firstRate: first, &prepared.prompts, into: &report)
        } else {
            report.load = await phases.load(options.shape, phase: "load", &prepared.prompts)
        }
        if prepared.prompts.repeatedCount > 0 {
            report.warnings.append(
                "\(prepared.prompts.repeatedCount) prompts were asked for more than once, because "
                    + "the file has too few: a prefix cache may flatter the server")
        }
        return report
    }

    /// Half of what the server does one after another: a rate that it keeps up with.
    private static func firstRate(after singleStream: ServingFigures?) -> Double {
        guard let ms = singleStream?.latency.meanMs, ms > 0 else { return 1 }
        return 500 / ms
    }
}

/// The model that is asked for, and what the server tells of it.
struct ModelCard: Sendable, Equatable {
    var name: String
    /// Tokens of its vocabulary, where the server tells.
    var vocabularySize: Int?
    /// Positions of one sequence, where the server tells.
    var positionCountMax: Int?

    /// Looks up the model that the user named, or the first that the server has.
    static func fetch(from client: ServingClient) async throws(Refusal) -> ModelCard {
        let place = client.target.baseURL + "/v1/models"
        let listed: [JSONValue]
        do throws(Refusal) {
            listed = try await client.json("/v1/models").fields?["data"]?.elements ?? []
        } catch {
            // A server without such a list can be measured all the same, once its model is named.
            guard let name = client.target.model, error.reason.hasPrefix("answers 404") else {
                throw error
            }
            return ModelCard(name: name)
        }
        if let name = client.target.model {
            return listed.compactMap(ModelCard.init).first { $0.name == name }
                ?? ModelCard(name: name)
        }
        guard let card = listed.compactMap(ModelCard.init).first else {
            throw Refusal(place, "lists no model; name one with --model")
        }
        return card
    }

    /// Names a model of which nothing else is known.
    init(name: String) { self.name = name }

    /// Reads an entry of the list.
    init?(_ value: JSONValue) {
        guard let fields = value.fields, let name = fields["id"]?.string else { return nil }
        self.name = name
        vocabularySize = fields["vocab_size"]?.count.flatMap {
            (1...Limits.vocabularyMax).contains($0) ? $0 : nil
        }
        positionCountMax = fields["max_model_len"]?.count
    }
}
