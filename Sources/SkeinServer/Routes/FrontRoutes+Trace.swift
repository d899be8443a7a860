internal import Hummingbird
internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinTelemetry
internal import SkeinText

// What every lane of the cluster does, over a window that the asker chooses.
extension FrontRoutes {
    /// Traces the cluster for `?seconds=N` and answers with its intervals and their summary.
    func trace(_ request: Request) async throws(APIError) -> Response {
        let seconds = try Self.seconds(of: request)
        do {
            let trace = try await service.coordinator.trace(for: .seconds(seconds))
            return Self.response(trace.json)
        } catch let refusal as Refusal {
            throw .unavailable(refusal.description)
        } catch {
            throw .broken(error)
        }
    }

    private static func seconds(of request: Request) throws(APIError) -> Double {
        guard let text = request.uri.queryParameters["seconds"] else { return 1 }
        guard let seconds = Double(text), seconds >= 0.1, seconds <= Double(Limits.traceSecondsMax)
        else {
            throw .invalid(
                "seconds",
                "seconds: found '\(text.prefix(60))', expected 0.1 to \(Limits.traceSecondsMax)")
        }
        return seconds
    }
}

extension ClusterTrace {
    /// The trace for programs: a summary, and for each lane columns of numbers.
    ///
    /// `kind` counts from 0 in `interval_kinds`, requests of micro-batches from 0 in `requests`;
    /// micro-batch 0 is none, layer -1 is none; moments
    /// are microseconds since the window's start.
    var json: JSONValue {
        let summary = TraceSummary(self)
        return .fields([
            "window_seconds": .seconds(summary.windowSeconds),
            "clock_error_microseconds": .count(clockErrorMicroseconds),
            "hidden_communication_share": .share(summary.hiddenShare),
            "stages": .array(
                zip(stages, summary.stages).map { stage, figures in
                    .fields([
                        "index": .count(stage.index.rawValue), "node": .count(stage.node),
                        "owner": .count(stage.owner), "figures": figures.json,
                    ])
                }),
            "interval_kinds": .array(IntervalKind.allCases.map { .string($0.name) }),
            "nodes": .array(nodes.map { $0.json(since: startMicroseconds) }),
            "requests": .array(requests.map { .string($0) }), "micro_batches": contentJSON,
        ])
    }
}

extension ClusterTrace {
    /// What each micro-batch carried, in columns.
    private var contentJSON: JSONValue {
        let sorted = microBatches.sorted { $0.key < $1.key }
        return .fields([
            "id": .array(sorted.map { .count($0.key.rawValue) }),
            "rows": .array(sorted.map { .count($0.value.rowCount) }),
            "requests": .array(sorted.map { .array($0.value.requests.map { .count($0) }) }),
        ])
    }
}

extension TraceSummary.Stage {
    fileprivate var json: JSONValue {
        .fields([
            "node": .string(node), "steps": .count(stepCount),
            "busy_seconds": .seconds(busySeconds),
            "waiting_in_seconds": .seconds(waitingInSeconds),
            "waiting_out_seconds": .seconds(waitingOutSeconds),
            "waiting_combine_seconds": .seconds(waitingCombineSeconds),
            "sending_seconds": .seconds(sendingSeconds), "busy_share": .seconds(busyShare),
            "bubble_share": .seconds(bubbleShare),
            "communication_seconds": .seconds(communicationSeconds),
            "hidden_seconds": .seconds(hiddenSeconds), "hop_seconds": .seconds(hopSeconds),
            "hidden_communication_share": .share(hiddenShare),
        ])
    }
}

extension ClusterTrace.Node {
    fileprivate func json(since start: Int64) -> JSONValue {
        let lanes = Dictionary(grouping: intervals, by: \.lane).sorted { $0.key < $1.key }
        return .fields([
            "name": .string(name), "clock_lead_microseconds": .count(clockLeadMicroseconds),
            "clock_error_microseconds": .count(clockErrorMicroseconds),
            "missed_intervals": .count(missedCount),
            "lanes": .array(lanes.map { Self.json(of: $0, $1, since: start) }),
        ])
    }

    private static func json(
        of lane: TraceLane, _ intervals: [TracedInterval], since start: Int64
    ) -> JSONValue {
        let (role, index): (String, Int) =
            switch lane {
            case .coordinator: ("coordinator", 0)
            case .stage(let index): ("stage", index.rawValue)
            case .expertHost(let number): ("expert_host", number)
            }
        return .fields([
            "role": .string(role), "index": .count(index),
            "kind": .array(intervals.map { .count($0.kind.rawValue - 1) }),
            "micro_batch": .array(intervals.map { .count($0.microBatch?.rawValue ?? 0) }),
            "layer": .array(intervals.map { .count($0.layer?.rawValue ?? -1) }),
            "start": .array(intervals.map { .count($0.startMicroseconds - start) }),
            "end": .array(intervals.map { .count($0.endMicroseconds - start) }),
        ])
    }
}

extension JSONValue {
    /// A share, or `null` where there is nothing that it could be a share of.
    fileprivate static func share(_ share: Double?) -> JSONValue {
        share.map { .seconds($0) } ?? .null
    }
}
