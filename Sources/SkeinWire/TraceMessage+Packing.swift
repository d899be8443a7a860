// Packs what is said about a node's lanes.

import CProtobufC
import CSkeinProto
import SkeinCore

extension TraceRequest {
    func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__TraceRequest> {
        let message = arena.message(skein__v1__trace_request__init)
        message.pointee.after_interval_number = afterNumber
        message.pointee.wants_open_intervals = wantsOpenIntervals ? 1 : 0
        return message
    }
}

extension TraceAnswer {
    func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__TraceAnswer> {
        let message = arena.message(skein__v1__trace_answer__init)
        let all = intervals + openIntervals
        message.pointee.first_interval_number = firstNumber
        message.pointee.open_interval_count = UInt32(openIntervals.count)
        message.pointee.n_lane_kinds = all.count
        message.pointee.lane_kinds = arena.list(all.map(\.lane.wireKind))
        message.pointee.n_lane_indexes = all.count
        message.pointee.lane_indexes = arena.list(all.map(\.lane.wireIndex))
        message.pointee.n_interval_kinds = all.count
        message.pointee.interval_kinds = arena.list(
            all.map { Skein__V1__IntervalKind(UInt32($0.kind.rawValue)) })
        message.pointee.n_micro_batch_ids = all.count
        message.pointee.micro_batch_ids = arena.list(all.map { $0.microBatch?.rawValue ?? 0 })
        message.pointee.n_layer_numbers = all.count
        message.pointee.layer_numbers = arena.list(
            all.map { $0.layer.map { UInt32($0.rawValue + 1) } ?? 0 })
        message.pointee.n_start_microseconds = all.count
        message.pointee.start_microseconds = arena.list(
            all.map { UInt64(max(0, $0.startMicroseconds)) })
        message.pointee.n_length_microseconds = all.count
        message.pointee.length_microseconds = arena.list(
            all.map { UInt64(max(0, $0.endMicroseconds - $0.startMicroseconds)) })
        return message
    }
}

extension TraceLane {
    fileprivate var wireKind: Skein__V1__LaneKind {
        switch self {
        case .coordinator: preconditionFailure("the coordinator tells nobody of its own lane")
        case .stage: SKEIN__V1__LANE_KIND__LANE_KIND_STAGE
        case .expertHost: SKEIN__V1__LANE_KIND__LANE_KIND_EXPERT_HOST
        }
    }

    fileprivate var wireIndex: UInt32 {
        switch self {
        case .coordinator: 0
        case .stage(let index): UInt32(index.rawValue)
        case .expertHost(let number): UInt32(number)
        }
    }
}
