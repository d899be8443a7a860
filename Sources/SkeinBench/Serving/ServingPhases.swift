import Foundation
import NIOCore
import SkeinCore

/// One load that was measured, with what it took on both sides.
struct ServingLoad: Sendable {
    let shape: LoadShape
    let figures: ServingFigures
    /// How late the client's event loop was.
    let lag: LatencyFigures
    /// Processor time that the load tester itself used.
    let clientSeconds: Double
    /// What the server tells of the time, where it is Skein.
    let server: ServerChange?
    let wasInterrupted: Bool
    /// Every request, for a timeline.
    let records: [ServingRecord]
    /// The time from which those of the records count.
    let start: NIODeadline
}

/// The parts of a measurement, one after another: warm-up, requests alone, load or sweep.
struct ServingPhases: Sendable {
    var options: ServingOptions
    let client: ServingClient
    let model: String
    let onProgress: @Sendable (ServingProgress) -> Void

    /// Requests that are in no figure; where all fail, the measurement would be one of failures.
    ///
    /// Where their events carry no text, as those of a model without a tokenizer, the server is
    /// asked for token ids from then on, if it sends any.
    mutating func warmUp(_ prompts: inout ServingPrompts) async throws {
        guard options.warmupCount > 0, try await warmUpIsSilent(&prompts) else { return }
        let fields = options.target.fields
        guard fields[ServingPrompt.tokenIDsField] == nil else { return }
        options.target.fields[ServingPrompt.tokenIDsField] = .bool(true)
        do {
            if try await warmUpIsSilent(&prompts) { options.target.fields = fields }
        } catch is Refusal {
            // The server does not know the field; it is measured without.
            options.target.fields = fields
        }
    }

    /// Warms up, and says whether answers had tokens and no event carried one.
    private func warmUpIsSilent(_ prompts: inout ServingPrompts) async throws -> Bool {
        let shape = LoadShape(
            concurrencyMax: min(options.warmupCount, options.shape.concurrencyMax ?? .max),
            end: .requestCount(options.warmupCount))
        let run = try await phase(shape, "warm-up", &prompts)
        if let failure = run.records.compactMap(\.failure).first,
            run.records.allSatisfy({ $0.failure != nil })
        {
            throw Refusal(
                client.target.baseURL + client.target.endpoint,
                "a first request fails (\(failure.kind)): \(failure.detail)")
        }
        // An answer that has no token at all has none to show.
        return run.records.allSatisfy { $0.emissions.isEmpty && $0.outputTokenCount != 0 }
    }

    /// Requests that have the server for themselves, one after another.
    func singleStream(_ prompts: inout ServingPrompts) async throws -> ServingFigures? {
        guard options.singleStreamCount > 0 else { return nil }
        let shape = LoadShape(
            concurrencyMax: 1, end: .requestCount(options.singleStreamCount))
        return ServingFigures(try await phase(shape, "alone", &prompts), serviceLevel: nil)
    }

    /// One load.
    func load(
        _ shape: LoadShape, phase: String, _ prompts: inout ServingPrompts
    ) async -> ServingLoad {
        let before = await facts()
        let clock = ContinuousClock.now
        let processorBefore = ProcessorTime.seconds()
        let run = await run(shape, phase, &prompts)
        let processorSeconds = ProcessorTime.seconds() - processorBefore
        let after = await facts()
        var server: ServerChange?
        if let before, let after {
            server = ServerChange(before: before, after: after, duration: .now - clock)
        }
        return ServingLoad(
            shape: shape, figures: ServingFigures(run, serviceLevel: options.serviceLevel),
            lag: run.lag, clientSeconds: processorSeconds, server: server,
            wasInterrupted: run.wasInterrupted, records: run.records, start: run.start)
    }

    /// Loads of several rates.
    func sweep(
        _ rates: SweepRates, firstRate: Double, _ prompts: inout ServingPrompts,
        into report: inout ServingReport
    ) async throws {
        switch rates {
        case .listed(let rates):
            for rate in rates where report.sweep.last?.wasInterrupted != true {
                report.sweep.append(await point(rate, &prompts))
            }
        case .automatic:
            var search = SaturationSearch(firstRate: firstRate)
            var directive = search.start
            while case .measure(let rate) = directive {
                let load = await point(rate, &prompts)
                report.sweep.append(load)
                guard !load.wasInterrupted else { return }
                directive = search.onPoint(SaturationSearch.Point(load))
            }
        }
    }

    // MARK: Rooms

    /// So few requests say nothing about a rate.
    private static let pointRequestsMin = 20

    private func point(_ rate: Double, _ prompts: inout ServingPrompts) async -> ServingLoad {
        let wanted = rate * (options.sweepPointDuration / .seconds(1))
        let count = min(
            max(Self.pointRequestsMin, Int(wanted.rounded())), Limits.loadRequestsMax)
        var shape = options.shape
        shape.requestRate = rate
        shape.end = .requestCount(count)
        return await load(shape, phase: "\(FigureText.number(rate)) requests/s", &prompts)
    }

    private func phase(
        _ shape: LoadShape, _ name: String, _ prompts: inout ServingPrompts
    ) async throws -> ServingRun.Outcome {
        let outcome = await run(shape, name, &prompts)
        try Task.checkCancellation()
        return outcome
    }

    private func run(
        _ shape: LoadShape, _ name: String, _ prompts: inout ServingPrompts
    ) async -> ServingRun.Outcome {
        let run = ServingRun(
            shape, prompts: prompts, client: client, target: options.target, model: model,
            phase: name, onProgress: onProgress)
        let (outcome, left) = await run.measure()
        prompts = left
        return outcome
    }

    private func facts() async -> ServerFacts? {
        do {
            return ServerFacts(try await client.json("/v1/cluster"))
        } catch {
            // Only Skein tells of its stages.
            return nil
        }
    }
}

extension SaturationSearch.Point {
    /// What a load says about its rate.
    init(_ load: ServingLoad) {
        let figures = load.figures
        let rate = load.shape.requestRate ?? 0
        self.init(
            requestRate: rate, offeredRate: figures.offeredRate ?? rate,
            completionRate: figures.completionRate,
            timeToFirstTokenP99Ms: figures.timeToFirstToken.percentileMs(99),
            goodShare: figures.goodCount.map {
                Double($0) / Double(max(1, figures.requestCount))
            },
            failedShare: Double(figures.failedCount) / Double(max(1, figures.requestCount)))
    }
}
