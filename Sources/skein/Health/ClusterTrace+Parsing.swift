import SkeinCore
import SkeinTelemetry
import SkeinText

extension ClusterTrace {
    /// Reads what a head answered to `/v1/trace`; everything in it is foreign.
    ///
    /// - Throws: a `Refusal` that names the field.
    init(parsing answer: JSONValue, subject: String) throws(Refusal) {
        let reader = TraceReader(subject: subject)
        let names = try reader.list(answer["interval_kinds"], "interval_kinds")
        // A kind that a later version has is left out, not refused.
        let kinds = names.map { $0.string.flatMap { IntervalKind(name: $0) } }
        guard (1...256).contains(kinds.count) else {
            throw reader.refusal("interval_kinds", "found \(kinds.count), expected 1 to 256")
        }
        let seconds = try reader.number(answer["window_seconds"]?.double, "window_seconds")
        guard seconds >= 0, seconds <= 10 * Double(Limits.traceSecondsMax) else {
            throw reader.refusal("window_seconds", "found \(seconds)")
        }
        let nodeValues = try reader.list(answer["nodes"], "nodes")
        guard (1...(Limits.nodesMax + 1)).contains(nodeValues.count) else {
            throw reader.refusal(
                "nodes", "found \(nodeValues.count), expected the coordinator and its nodes")
        }
        var nodes: [Node] = []
        for (place, value) in nodeValues.enumerated() {
            nodes.append(try reader.node(value, "nodes[\(place)]", kinds))
        }
        let stageValues = try reader.list(answer["stages"], "stages")
        guard stageValues.count <= Limits.stagesMax else {
            throw reader.refusal("stages", "found \(stageValues.count)")
        }
        var stages: [Stage] = []
        for (place, value) in stageValues.enumerated() {
            let path = "stages[\(place)]"
            stages.append(
                Stage(
                    index: StageIndex(
                        try reader.count(value["index"], in: place...place, "\(path).index")),
                    node: try reader.count(
                        value["node"], in: 0...(nodes.count - 1), "\(path).node"),
                    owner: try reader.count(
                        value["owner"], in: 0...Limits.nodesMax, "\(path).owner")))
        }
        self.init(
            startMicroseconds: 0, endMicroseconds: Int64((seconds * 1e6).rounded()), nodes: nodes,
            stages: stages)
        // A head of an earlier version does not tell what micro-batches carried.
        guard let content = answer["micro_batches"] else { return }
        requests = try reader.names(answer["requests"], "requests")
        microBatches = try reader.microBatches(
            content, "micro_batches", requestCount: requests.count)
    }
}

/// Takes fields out of a head's answer.
private struct TraceReader {
    /// Moments lie within a day of the window's start, whatever clocks do.
    private static let microsecondsMax = 86_400 * 1_000_000

    let subject: String

    func refusal(_ field: String, _ detail: String) -> Refusal {
        Refusal("\(subject): \(field)", detail)
    }

    func list(_ value: JSONValue?, _ field: String) throws(Refusal) -> [JSONValue] {
        guard let list = value?.array else { throw refusal(field, "expected a list") }
        return list
    }

    func number(_ value: Double?, _ field: String) throws(Refusal) -> Double {
        guard let value, value.isFinite else { throw refusal(field, "expected a number") }
        return value
    }

    func count(
        _ value: JSONValue?, in range: ClosedRange<Int>, _ field: @autoclosure () -> String
    ) throws(Refusal) -> Int {
        guard let number = value?.integer, range.contains(number) else {
            throw refusal(
                field(), "expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Names of requests; what no terminal and no file should hold is replaced.
    func names(_ value: JSONValue?, _ field: String) throws(Refusal) -> [String] {
        let values = try list(value, field)
        guard values.count <= Limits.traceRequestsMax else {
            throw refusal(
                field, "found \(values.count), expected \(Limits.traceRequestsMax) at most")
        }
        var names: [String] = []
        for (place, value) in values.enumerated() {
            guard let name = value.string, name.utf8.count <= Limits.labelBytesMax else {
                throw refusal("\(field)[\(place)]", "expected a request's name")
            }
            names.append(PlainText(name).description)
        }
        return names
    }

    /// What each micro-batch carried, in columns.
    func microBatches(
        _ value: JSONValue, _ path: String, requestCount: Int
    ) throws(Refusal) -> [MicroBatchID: ClusterTrace.MicroBatch] {
        let ids = try list(value["id"], "\(path).id")
        let rows = try list(value["rows"], "\(path).rows")
        let requests = try list(value["requests"], "\(path).requests")
        guard ids.count == rows.count, ids.count == requests.count,
            ids.count <= Limits.traceMicroBatchesMax
        else { throw refusal(path, "expected columns of one length") }
        var microBatches: [MicroBatchID: ClusterTrace.MicroBatch] = [:]
        for place in ids.indices {
            let id = try count(ids[place], in: 1...Int.max, "\(path).id[\(place)]")
            let rowCount = try count(rows[place], in: 0...Int.max, "\(path).rows[\(place)]")
            let field = "\(path).requests[\(place)]"
            let places = try list(requests[place], field)
            guard places.count <= Limits.loggedRequestsMax else {
                throw refusal(
                    field, "found \(places.count), expected \(Limits.loggedRequestsMax) at most")
            }
            var known: [Int] = []
            for value in places {
                let place = try count(value, in: 0...Limits.traceRequestsMax, field)
                guard place < requestCount else {
                    throw refusal(field, "found \(place), expected a place in requests")
                }
                known.append(place)
            }
            microBatches[MicroBatchID(rawValue: UInt64(id))] = ClusterTrace.MicroBatch(
                rowCount: rowCount, requests: known)
        }
        return microBatches
    }

    func node(
        _ value: JSONValue, _ path: String, _ kinds: [IntervalKind?]
    ) throws(Refusal) -> ClusterTrace.Node {
        guard let name = value["name"]?.string, name.utf8.count <= Limits.nameBytesMax else {
            throw refusal("\(path).name", "expected a name")
        }
        let moments = -Self.microsecondsMax...Self.microsecondsMax
        var intervals: [TracedInterval] = []
        for (place, lane) in try list(value["lanes"], "\(path).lanes").enumerated() {
            intervals += try self.intervals(lane, "\(path).lanes[\(place)]", kinds)
        }
        return ClusterTrace.Node(
            name: name,
            clockLeadMicroseconds: Int64(
                try count(
                    value["clock_lead_microseconds"], in: Int.min...Int.max,
                    "\(path).clock_lead_microseconds")),
            clockErrorMicroseconds: Int64(
                try count(
                    value["clock_error_microseconds"], in: moments,
                    "\(path).clock_error_microseconds")),
            missedCount: try count(
                value["missed_intervals"], in: 0...Int.max, "\(path).missed_intervals"),
            intervals: intervals.sorted { $0.startMicroseconds < $1.startMicroseconds })
    }

    private func intervals(
        _ value: JSONValue, _ path: String, _ kinds: [IntervalKind?]
    ) throws(Refusal) -> [TracedInterval] {
        let lane = try lane(value, path)
        var columns: [[JSONValue]] = []
        for name in ["kind", "micro_batch", "layer", "start", "end"] {
            columns.append(try list(value[name], "\(path).\(name)"))
        }
        let rowCount = columns[0].count
        guard columns.allSatisfy({ $0.count == rowCount }), rowCount <= Limits.traceIntervalsMax
        else { throw refusal(path, "expected columns of one length") }
        let moments = -Self.microsecondsMax...Self.microsecondsMax
        var intervals: [TracedInterval] = []
        for row in 0..<rowCount {
            let kind = try count(columns[0][row], in: 0...(kinds.count - 1), "\(path).kind[\(row)]")
            let microBatch = try count(
                columns[1][row], in: 0...Int.max, "\(path).micro_batch[\(row)]")
            let layer = try count(
                columns[2][row], in: -1...(Limits.layersMax - 1), "\(path).layer[\(row)]")
            let start = try count(columns[3][row], in: moments, "\(path).start[\(row)]")
            let end = try count(
                columns[4][row], in: start...Self.microsecondsMax, "\(path).end[\(row)]")
            guard let kind = kinds[kind] else { continue }
            intervals.append(
                TracedInterval(
                    lane: lane, kind: kind,
                    microBatch: microBatch == 0 ? nil : MicroBatchID(rawValue: UInt64(microBatch)),
                    layer: layer < 0 ? nil : LayerIndex(layer), startMicroseconds: Int64(start),
                    endMicroseconds: Int64(end)))
        }
        return intervals
    }

    private func lane(_ value: JSONValue, _ path: String) throws(Refusal) -> TraceLane {
        switch value["role"]?.string {
        case "coordinator": return .coordinator
        case "stage":
            return .stage(
                StageIndex(
                    try count(value["index"], in: 0...(Limits.stagesMax - 1), "\(path).index")))
        case "expert_host":
            return .expertHost(
                try count(value["index"], in: 0...(Limits.nodesMax - 1), "\(path).index"))
        default:
            throw refusal("\(path).role", "expected coordinator, stage or expert_host")
        }
    }
}
