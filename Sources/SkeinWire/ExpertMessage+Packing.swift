// Packs the messages of ExpertMessage.swift.

import CProtobufC
import CSkeinProto
import SkeinCore

extension Dispatch {
    func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__Dispatch> {
        let message = arena.message(skein__v1__dispatch__init)
        message.pointee.micro_batch_id = microBatch.rawValue
        message.pointee.stage_index = UInt32(stage.rawValue)
        message.pointee.layer_index = UInt32(layer.rawValue)
        message.pointee.n_choice_counts = choiceCounts.count
        message.pointee.choice_counts = arena.list(choiceCounts.map { UInt32($0) })
        message.pointee.n_expert_indexes = experts.count
        message.pointee.expert_indexes = arena.list(experts.map { UInt32($0) })
        return message
    }
}

extension Combine {
    func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__Combine> {
        let message = arena.message(skein__v1__combine__init)
        message.pointee.micro_batch_id = microBatch.rawValue
        message.pointee.layer_index = UInt32(layer.rawValue)
        if case .refused(let reason) = outcome {
            message.pointee.refusal_reason = arena.reason(
                reason.isEmpty ? "no reason was given" : reason)
        }
        return message
    }
}

extension ExpertHost {
    func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__ExpertHost> {
        let message = arena.message(skein__v1__expert_host__init)
        message.pointee.node_name = arena.text(nodeName)
        message.pointee.address = arena.text(address)
        message.pointee.public_key = arena.text(publicKey ?? "")
        message.pointee.n_parts = shard.count
        message.pointee.parts = arena.list(shard.map { Optional($0.packed(in: arena)) })
        return message
    }
}

extension ShardPart {
    fileprivate func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__ShardPart> {
        let message = arena.message(skein__v1__shard_part__init)
        message.pointee.first_layer_index = UInt32(layers.lowerBound)
        message.pointee.layer_count = UInt32(layers.count)
        message.pointee.first_expert_index = UInt32(experts.lowerBound)
        message.pointee.expert_count = UInt32(experts.count)
        return message
    }
}

extension ExpertTimes {
    func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__ExpertTimes> {
        let message = arena.message(skein__v1__expert_times__init)
        let counts = rowCounts.sorted { $0.key < $1.key }
        message.pointee.expert_host_index = UInt32(host)
        message.pointee.busy_microseconds = busyMicroseconds
        message.pointee.sending_microseconds = sendingMicroseconds
        message.pointee.done_step_count = doneStepCount
        message.pointee.done_row_count = doneRowCount
        message.pointee.done_choice_count = doneChoiceCount
        message.pointee.n_expert_indexes = counts.count
        message.pointee.expert_indexes = arena.list(counts.map { UInt32($0.key) })
        message.pointee.n_expert_row_counts = counts.count
        message.pointee.expert_row_counts = arena.list(counts.map(\.value))
        return message
    }
}
