// Parses the messages of ExpertMessage.swift.

import CProtobufC
import CSkeinProto
import SkeinCore

extension Dispatch {
    /// Joins what is asked with the rows that came with it.
    init(
        parsing message: Skein__V1__Dispatch, tensors: [TensorFrame], _ reader: FieldReader
    ) throws(WireError) {
        let stage = try reader.stage(message.stage_index, "stage_index")
        let layer = try reader.layer(message.layer_index, "layer_index")
        let counts = try reader.list(
            message.choice_counts, message.n_choice_counts, in: 1...Limits.microBatchRowsMax,
            "choice_counts")
        var choiceCounts: [Int] = []
        choiceCounts.reserveCapacity(counts.count)
        for (place, count) in counts.enumerated() {
            choiceCounts.append(
                try reader.number(
                    count, in: 1...Limits.expertsPerRowMax, "choice_counts[\(place)]"))
        }
        let sum = choiceCounts.reduce(0, +)
        let indexes = try reader.list(
            message.expert_indexes, message.n_expert_indexes, in: sum...sum, "expert_indexes")
        var experts: [Int] = []
        experts.reserveCapacity(sum)
        for (place, index) in indexes.enumerated() {
            experts.append(
                try reader.number(
                    index, in: 0...(Limits.expertsMax - 1), "expert_indexes[\(place)]"))
        }
        let (rows, scales) = try reader.rows(tensors, count: choiceCounts.count)
        self.init(
            microBatch: MicroBatchID(rawValue: message.micro_batch_id), stage: stage, layer: layer,
            choiceCounts: choiceCounts, experts: experts, rows: rows, scales: scales)
    }
}

extension Combine {
    /// Joins an answer with the outputs that came with it.
    init(
        parsing message: Skein__V1__Combine, tensors: [TensorFrame], _ reader: FieldReader
    ) throws(WireError) {
        let reason = try reader.text(
            message.refusal_reason, bytesMax: Limits.reasonBytesMax, mayBeEmpty: true,
            "refusal_reason")
        guard tensors.count == (reason.isEmpty ? 1 : 0) else {
            throw reader.error(
                "tensor_frames",
                "\(tensors.count) tensors, expected one, or none beside a reason",
                reason: .wrongFrames)
        }
        if let outputs = tensors.first {
            guard outputs.element == .bf16 else {
                throw reader.error(
                    "tensor_frames[0].element_type", "\(outputs.element), expected bf16",
                    reason: .wrongFrames)
            }
            let rowsMax = Limits.microBatchRowsMax * Limits.expertsPerRowMax
            guard outputs.rowCount <= rowsMax, outputs.columnCount <= Limits.hiddenSizeMax else {
                throw reader.error(
                    "tensor_frames[0].dimension_counts",
                    "[\(outputs.rowCount), \(outputs.columnCount)], expected at most "
                        + "[\(rowsMax), \(Limits.hiddenSizeMax)]", reason: .wrongFrames)
            }
        }
        self.init(
            microBatch: MicroBatchID(rawValue: message.micro_batch_id),
            layer: try reader.layer(message.layer_index, "layer_index"),
            outcome: tensors.first.map { .outputs($0) } ?? .refused(reason: reason))
    }

    /// An answer is for a stage.
    func check(target: StageIndex?, _ reader: FieldReader) throws(WireError) {
        guard target != nil else { throw reader.error("target_stage_index", "missing") }
    }
}

extension ExpertHost {
    init(parsing message: Skein__V1__ExpertHost, _ reader: FieldReader) throws(WireError) {
        let key = try reader.key(message.public_key, "public_key")
        let pointers = try reader.list(
            message.parts, message.n_parts, in: 1...Limits.shardPartsMax, "parts")
        var shard: [ShardPart] = []
        for (place, pointer) in pointers.enumerated() {
            let part = try reader.part(pointer, "parts[\(place)]")
            let layers = try reader.range(
                part.first_layer_index, part.layer_count, countMax: Limits.layersMax,
                "parts[\(place)].layer_count")
            let experts = try reader.range(
                part.first_expert_index, part.expert_count, countMax: Limits.expertsMax,
                "parts[\(place)].expert_count")
            shard.append(ShardPart(layers: layers, experts: experts))
        }
        self.init(
            nodeName: try reader.text(
                message.node_name, bytesMax: Limits.nameBytesMax, "node_name"),
            address: try reader.text(
                message.address, bytesMax: Limits.addressBytesMax, mayBeEmpty: true, "address"),
            publicKey: key, shard: shard)
    }
}

extension ExpertTimes {
    init(parsing message: Skein__V1__ExpertTimes, _ reader: FieldReader) throws(WireError) {
        self.init(
            host: try reader.number(
                message.expert_host_index, in: 0...(Limits.nodesMax - 1),
                "expert_times.expert_host_index"))
        busyMicroseconds = message.busy_microseconds
        sendingMicroseconds = message.sending_microseconds
        doneStepCount = message.done_step_count
        doneRowCount = message.done_row_count
        doneChoiceCount = message.done_choice_count
        let indexes = try reader.list(
            message.expert_indexes, message.n_expert_indexes, in: 0...Limits.expertsMax,
            "expert_times.expert_indexes")
        let counts = try reader.list(
            message.expert_row_counts, message.n_expert_row_counts,
            in: indexes.count...indexes.count, "expert_times.expert_row_counts")
        var last = -1
        for (place, (index, count)) in zip(indexes, counts).enumerated() {
            let expert = try reader.number(
                index, in: 0...(Limits.expertsMax - 1), "expert_times.expert_indexes[\(place)]")
            guard expert > last else {
                throw reader.error(
                    "expert_times.expert_indexes[\(place)]", "\(expert) after \(last)")
            }
            rowCounts[expert] = count
            last = expert
        }
    }
}

extension FieldReader {
    /// A layer of any model within the limit.
    fileprivate func layer(
        _ number: UInt32, _ field: @autoclosure () -> String
    ) throws(WireError) -> LayerIndex {
        LayerIndex(try self.number(number, in: 0...(Limits.layersMax - 1), field()))
    }

    /// A CURVE key, or `nil` for an empty one.
    func key(
        _ start: UnsafeMutablePointer<CChar>?, _ field: @autoclosure () -> String
    ) throws(WireError) -> String? {
        let key = try text(start, bytesMax: 40, mayBeEmpty: true, field())
        guard key.isEmpty || key.utf8.count == 40 else {
            throw error(field(), "\(key.utf8.count) bytes, expected 40")
        }
        return key.isEmpty ? nil : key
    }

    /// At least one number, all of them below `countMax`.
    fileprivate func range(
        _ first: UInt32, _ count: UInt32, countMax: Int, _ field: @autoclosure () -> String
    ) throws(WireError) -> Range<Int> {
        let first = Int(first)
        guard first < countMax, count >= 1, Int(count) <= countMax - first else {
            throw error(
                field(), "\(count) from \(first) on, expected 1 or more of 0 to \(countMax - 1)")
        }
        return first..<(first + Int(count))
    }
}
