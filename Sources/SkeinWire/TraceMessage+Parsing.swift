// Parses what is said about a node's lanes; all of it is foreign.

import CProtobufC
import CSkeinProto
import SkeinCore

extension TraceRequest {
    init(parsing message: Skein__V1__TraceRequest) {
        self.init(
            afterNumber: message.after_interval_number,
            wantsOpenIntervals: message.wants_open_intervals != 0)
    }
}

extension TraceAnswer {
    init(parsing message: Skein__V1__TraceAnswer, _ reader: FieldReader) throws(WireError) {
        let kinds = try reader.list(
            message.interval_kinds, message.n_interval_kinds, in: 0...Limits.tracedIntervalsMax,
            "interval_kinds")
        let count = kinds.count
        let columns = TraceColumns(
            laneKinds: try reader.column(
                message.lane_kinds, message.n_lane_kinds, count, "lane_kinds"),
            laneIndexes: try reader.column(
                message.lane_indexes, message.n_lane_indexes, count, "lane_indexes"),
            kinds: kinds,
            microBatches: try reader.column(
                message.micro_batch_ids, message.n_micro_batch_ids, count, "micro_batch_ids"),
            layers: try reader.column(
                message.layer_numbers, message.n_layer_numbers, count, "layer_numbers"),
            starts: try reader.column(
                message.start_microseconds, message.n_start_microseconds, count,
                "start_microseconds"),
            lengths: try reader.column(
                message.length_microseconds, message.n_length_microseconds, count,
                "length_microseconds"))
        var all: [TracedInterval] = []
        all.reserveCapacity(count)
        for place in 0..<count { all.append(try columns.interval(place, reader)) }
        let openCount = try reader.number(
            message.open_interval_count, in: 0...count, "open_interval_count")
        // Numbers count what happened; they cannot come near to the largest one.
        let first = try reader.number(
            message.first_interval_number, in: 1...(Int.max / 2), "first_interval_number")
        self.init(
            firstNumber: UInt64(first), intervals: Array(all.dropLast(openCount)),
            openIntervals: Array(all.suffix(openCount)))
    }
}

extension FieldReader {
    /// A column that must be as long as the others.
    fileprivate func column<Element>(
        _ start: UnsafeMutablePointer<Element>?, _ count: Int, _ expected: Int,
        _ field: @autoclosure () -> String
    ) throws(WireError) -> UnsafeBufferPointer<Element> {
        try list(start, count, in: expected...expected, field())
    }
}

/// The columns of an answer, all of one length.
private struct TraceColumns {
    /// A century: no clock that starts at 0 with its node has come so far.
    private static let microsecondsMax = 100 * 366 * 86_400 * 1_000_000

    let laneKinds: UnsafeBufferPointer<Skein__V1__LaneKind>
    let laneIndexes: UnsafeBufferPointer<UInt32>
    let kinds: UnsafeBufferPointer<Skein__V1__IntervalKind>
    let microBatches: UnsafeBufferPointer<UInt64>
    let layers: UnsafeBufferPointer<UInt32>
    let starts: UnsafeBufferPointer<UInt64>
    let lengths: UnsafeBufferPointer<UInt64>

    func interval(_ place: Int, _ reader: FieldReader) throws(WireError) -> TracedInterval {
        let number = kinds[place].rawValue
        guard let raw = UInt8(exactly: number), let kind = IntervalKind(rawValue: raw) else {
            throw reader.error("interval_kinds[\(place)]", "\(number) is no known kind")
        }
        let layer = try reader.number(
            layers[place], in: 0...Limits.layersMax, "layer_numbers[\(place)]")
        let start = try reader.number(
            starts[place], in: 0...Self.microsecondsMax, "start_microseconds[\(place)]")
        let length = try reader.number(
            lengths[place], in: 0...Self.microsecondsMax, "length_microseconds[\(place)]")
        let microBatch = microBatches[place]
        return TracedInterval(
            lane: try lane(place, reader), kind: kind,
            microBatch: microBatch == 0 ? nil : MicroBatchID(rawValue: microBatch),
            layer: layer == 0 ? nil : LayerIndex(layer - 1), startMicroseconds: Int64(start),
            endMicroseconds: Int64(start + length))
    }

    private func lane(_ place: Int, _ reader: FieldReader) throws(WireError) -> TraceLane {
        let index = laneIndexes[place]
        switch laneKinds[place] {
        case SKEIN__V1__LANE_KIND__LANE_KIND_STAGE:
            return .stage(try reader.stage(index, "lane_indexes[\(place)]"))
        case SKEIN__V1__LANE_KIND__LANE_KIND_EXPERT_HOST:
            return .expertHost(
                try reader.number(
                    index, in: 0...(Limits.nodesMax - 1), "lane_indexes[\(place)]"))
        default:
            throw reader.error(
                "lane_kinds[\(place)]", "\(laneKinds[place].rawValue) is no known kind")
        }
    }
}
