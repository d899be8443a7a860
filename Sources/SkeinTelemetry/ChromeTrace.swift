internal import SkeinCore

/// A cluster's trace in the form that Perfetto reads (Trace Event Format, the JSON object form).
///
/// ```
///  process  coordinator      ring
///  process  a                stage 0           what the stage did, one thing after the other
///                            stage 0 arrivals  messages read while it computed
///                            …                 hops and waits for experts, as asynchronous slices
/// ```
///
/// Arrows (flow events) lead each micro-batch from the compute of one stage to that of the next.
/// What belongs to a micro-batch has in its `args` the rows and the requests that this one carried.
public struct ChromeTrace {
    /// The text of the file.
    public private(set) var text = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"

    private let trace: ClusterTrace
    private var hasEvents = false

    /// Writes a trace.
    public init(_ trace: ClusterTrace) {
        self.trace = trace
        for place in trace.nodes.indices { name(place) }
        for place in trace.nodes.indices {
            for interval in trace.nodes[place].intervals { add(interval, of: place) }
        }
        for hop in trace.hops { add(hop) }
        addArrows()
        text += "\n],\"otherData\":{\"clock_error_us\":\(trace.clockErrorMicroseconds)}}\n"
    }

    /// The number of a lane's thread; arrivals have the next one.
    private static func thread(_ lane: TraceLane) -> Int {
        switch lane {
        case .coordinator: 1
        case .stage(let index): 10 + 2 * index.rawValue
        case .expertHost(let number): 10_000 + 2 * number
        }
    }

    private static func title(_ lane: TraceLane) -> String {
        switch lane {
        case .coordinator: "ring"
        case .stage(let index): "stage \(index.rawValue)"
        case .expertHost(let number): "expert host \(number)"
        }
    }

    // MARK: Names

    private mutating func name(_ place: Int) {
        let node = trace.nodes[place]
        event(
            "M", "process_name", place, 0, nil, "\"args\":{\"name\":\(Self.quoted(node.name))}")
        event("M", "process_sort_index", place, 0, nil, "\"args\":{\"sort_index\":\(place)}")
        var lanes = Set(node.intervals.map(\.lane))
        for stage in trace.stages where stage.node == place { lanes.insert(.stage(stage.index)) }
        for lane in lanes.sorted() {
            name(place, Self.thread(lane), Self.title(lane))
            if lane != .coordinator {
                name(place, Self.thread(lane) + 1, Self.title(lane) + " arrivals")
            }
        }
    }

    private mutating func name(_ place: Int, _ thread: Int, _ title: String) {
        event("M", "thread_name", place, thread, nil, "\"args\":{\"name\":\"\(title)\"}")
        event("M", "thread_sort_index", place, thread, nil, "\"args\":{\"sort_index\":\(thread)}")
    }

    // MARK: What happened

    private mutating func add(_ interval: TracedInterval, of place: Int) {
        let start = interval.startMicroseconds - trace.startMicroseconds
        let length = interval.endMicroseconds - interval.startMicroseconds
        let args = args(interval.microBatch, layer: interval.layer)
        let thread = Self.thread(interval.lane)
        switch interval.kind {
        case .waitingCombine:
            // Several micro-batches wait at once; slices of one thread must not overlap.
            let name = "combine"
            let layer = interval.layer?.rawValue ?? 0
            let id = "\"id2\":{\"local\":\"\(interval.microBatch?.rawValue ?? 0).\(layer)\"}"
            event("b", name, place, thread, start, "\"cat\":\"combine\",\(id),\(args)")
            event("e", name, place, thread, start + length, "\"cat\":\"combine\",\(id)")
        case .receiving where interval.lane != .coordinator:
            complete(interval.kind.name, place, thread + 1, start, length, args)
        default: complete(interval.kind.name, place, thread, start, length, args)
        }
    }

    /// What people may ask an event for: its micro-batch, what this one carried, and the layer.
    private func args(_ microBatch: MicroBatchID?, layer: LayerIndex? = nil) -> String {
        var members: [String] = []
        if let microBatch {
            members.append("\"micro_batch\":\(microBatch.rawValue)")
            if let carried = trace.microBatches[microBatch] {
                members.append("\"rows\":\(carried.rowCount)")
                let names = carried.requests.map { trace.requests[$0] }.joined(separator: ",")
                if !names.isEmpty { members.append("\"requests\":\(Self.quoted(names))") }
            }
        }
        if let layer { members.append("\"layer\":\(layer.rawValue)") }
        return "\"args\":{\(members.joined(separator: ","))}"
    }

    private mutating func complete(
        _ name: String, _ place: Int, _ thread: Int, _ start: Int64, _ length: Int64, _ args: String
    ) {
        event("X", name, place, thread, start, "\"dur\":\(length),\"cat\":\"lane\",\(args)")
    }

    private mutating func add(_ hop: ClusterTrace.Hop) {
        let lane = hop.to
        let place = place(of: lane)
        let id = "\"id2\":{\"local\":\"\(hop.microBatch.rawValue)\"}"
        let name = "hop to \(Self.title(lane))"
        let args = args(hop.microBatch)
        event(
            "b", name, place, Self.thread(lane), hop.startMicroseconds - trace.startMicroseconds,
            "\"cat\":\"hop\",\(id),\(args)")
        event(
            "e", name, place, Self.thread(lane), hop.endMicroseconds - trace.startMicroseconds,
            "\"cat\":\"hop\",\(id)")
    }

    /// From the compute of a micro-batch on one stage to that on the next.
    private mutating func addArrows() {
        var steps: [MicroBatchID: [StageIndex: Int64]] = [:]
        for interval in trace.nodes.lazy.flatMap(\.intervals) where interval.kind.isCompute {
            guard case .stage(let stage) = interval.lane, let microBatch = interval.microBatch
            else { continue }
            let known = steps[microBatch]?[stage]
            steps[microBatch, default: [:]][stage] =
                min(known ?? interval.startMicroseconds, interval.startMicroseconds)
        }
        for (microBatch, starts) in steps.sorted(by: { $0.key < $1.key }) where starts.count > 1 {
            let stages = starts.sorted { $0.key < $1.key }
            for (number, step) in stages.enumerated() {
                let lane = TraceLane.stage(step.key)
                let kind = number == 0 ? "s" : number == stages.count - 1 ? "f" : "t"
                let end = kind == "f" ? ",\"bp\":\"e\"" : ""
                event(
                    kind, "micro-batch", place(of: lane), Self.thread(lane),
                    step.value - trace.startMicroseconds,
                    "\"cat\":\"micro_batch\",\"id\":\(microBatch.rawValue)\(end)")
            }
        }
    }

    private func place(of lane: TraceLane) -> Int {
        guard case .stage(let index) = lane else { return 0 }
        return trace.stages.first { $0.index == index }?.node ?? 0
    }

    // MARK: Text

    private mutating func event(
        _ kind: String, _ name: String, _ process: Int, _ thread: Int, _ moment: Int64?,
        _ rest: String
    ) {
        text += hasEvents ? ",\n" : ""
        hasEvents = true
        let time = moment.map { "\"ts\":\($0)," } ?? ""
        text +=
            "{\"ph\":\"\(kind)\",\"name\":\"\(name)\",\"pid\":\(process),\"tid\":\(thread),"
            + "\(time)\(rest)}"
    }

    private static func quoted(_ name: String) -> String {
        var quoted = "\""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.value < 0x20: quoted += " "
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
