import Foundation
import SkeinCore

/// Measures a server under load, from finding its model to the report.
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
        var options = options
        let shortening = options.origin.fit(positions: card.positionCountMax)
        var prepared = try await PreparedPrompts.prepare(options, card: card, client: client)
        try Task.checkCancellation()
        var phases = ServingPhases(
            options: options, client: client, model: card.name, onProgress: show)
        try await phases.warmUp(&prepared.prompts)
        var report = ServingReport(phases.options, card: card, rows: prepared.rows)
        report.warnings = (shortening.map { [$0] } ?? []) + prepared.warnings
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
