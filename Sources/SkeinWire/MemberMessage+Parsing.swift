// Parses the messages of MemberMessage.swift.

import CProtobufC
import CSkeinProto
import SkeinCore

extension Envelope.Body {
    /// Reads what nodes say about themselves and each other.
    init(
        parsingMember envelope: Skein__V1__Envelope, epoch: Epoch, _ reader: FieldReader
    ) throws(WireError) {
        switch envelope.body_case {
        case SKEIN__V1__ENVELOPE__BODY_HELLO:
            self = .hello(try Hello(parsing: try reader.part(envelope.hello, ""), reader))
        case SKEIN__V1__ENVELOPE__BODY_REFUSED:
            let refused = try reader.part(envelope.refused, "")
            self = .refused(reason: try reader.reason(refused.reason, "reason"))
        case SKEIN__V1__ENVELOPE__BODY_PLACEMENT:
            let placement = try reader.part(envelope.placement, "")
            self = .placement(try Placement(parsing: placement, epoch: epoch, reader))
        case SKEIN__V1__ENVELOPE__BODY_LOADING:
            let loading = try reader.part(envelope.loading, "")
            guard loading.done_bytes <= loading.total_bytes else {
                throw reader.error(
                    "done_bytes", "\(loading.done_bytes) of \(loading.total_bytes)")
            }
            self = .loading(
                Loading(doneBytes: loading.done_bytes, totalBytes: loading.total_bytes))
        case SKEIN__V1__ENVELOPE__BODY_READY:
            let ready = try reader.part(envelope.ready, "")
            self = .ready(
                Ready(
                    loadedWeightBytes: ready.loaded_weight_bytes,
                    residentBytes: ready.resident_bytes))
        case SKEIN__V1__ENVELOPE__BODY_ALIVE:
            self = .alive(try Alive(parsing: try reader.part(envelope.alive, ""), reader))
        case SKEIN__V1__ENVELOPE__BODY_LEAVE:
            let leave = try reader.part(envelope.leave, "")
            self = .leave(reason: try reader.reason(leave.reason, "reason"))
        case SKEIN__V1__ENVELOPE__BODY_FAULT:
            self = .fault(try Fault(parsing: try reader.part(envelope.fault, ""), reader))
        case SKEIN__V1__ENVELOPE__BODY_SHUTDOWN: self = .shutdown
        default: throw reader.error("body", "the message has no kind", reason: .unknownKind)
        }
    }
}

extension FieldReader {
    fileprivate func reason(
        _ start: UnsafeMutablePointer<CChar>?, _ field: String
    ) throws(WireError) -> String {
        try text(start, bytesMax: Limits.reasonBytesMax, mayBeEmpty: true, field)
    }

    fileprivate func name(
        _ start: UnsafeMutablePointer<CChar>?, _ field: @autoclosure () -> String
    ) throws(WireError) -> String {
        try text(start, bytesMax: Limits.nameBytesMax, field())
    }
}

extension Hello {
    fileprivate init(
        parsing message: Skein__V1__Hello, _ reader: FieldReader
    ) throws(WireError) {
        self.init(
            nodeName: try reader.name(message.node_name, "node_name"),
            wireVersion: message.wire_version,
            softwareVersion: try reader.name(message.software_version, "software_version"),
            fingerprint: try reader.name(message.model_fingerprint, "model_fingerprint"),
            inboxAddress: try reader.text(
                message.inbox_address, bytesMax: Limits.addressBytesMax, mayBeEmpty: true,
                "inbox_address"),
            processID: message.process_id, memoryAvailableBytes: message.memory_available_bytes,
            cpuISA: try reader.text(
                message.cpu_isa, bytesMax: Limits.nameBytesMax, mayBeEmpty: true, "cpu_isa"),
            threadCount: try reader.number(message.thread_count, in: 0...65_536, "thread_count"))
    }
}

extension StageSettings {
    fileprivate init(
        parsing message: Skein__V1__Placement, _ reader: FieldReader
    ) throws(WireError) {
        self.init(
            pageCount: try reader.number(
                message.page_count, in: 1...Int(Int32.max), "page_count"))
        stepsAtOnce = max(
            1,
            try reader.number(
                message.steps_at_once_count, in: 0...Limits.stepsAtOnceMax, "steps_at_once_count"))
        hopForm = message.hops_float8 != 0 ? .fp8 : .bf16
        dispatchForm = message.dispatches_float8 != 0 ? .fp8 : .bf16
        latentForm = message.keeps_latents_float8 != 0 ? .fp8 : .bf16
        speculates = message.speculates != 0
    }
}

extension Placement {
    fileprivate init(
        parsing message: Skein__V1__Placement, epoch: Epoch, _ reader: FieldReader
    ) throws(WireError) {
        let kind: PlacementKind
        switch message.placement_kind {
        case SKEIN__V1__PLACEMENT_KIND__PLACEMENT_KIND_LINEAR: kind = .linear
        case SKEIN__V1__PLACEMENT_KIND__PLACEMENT_KIND_VFOLD: kind = .vfold
        default:
            throw reader.error(
                "placement_kind", "\(message.placement_kind.rawValue) is no known kind")
        }
        let pageRowCount = Int(message.page_row_count)
        guard pageRowCount == Limits.pageRowCount else {
            throw reader.error(
                "page_row_count", "\(pageRowCount), this node has \(Limits.pageRowCount)")
        }
        self.init(
            epoch: epoch,
            nodeIndex: try reader.number(
                message.node_index, in: 0...(Limits.nodesMax - 1), "node_index"),
            kind: kind, ring: try Self.ring(message, reader),
            pageRowCount: pageRowCount,
            microBatchesInFlight: try reader.number(
                message.micro_batches_in_flight_count, in: 1...Limits.microBatchesInFlightMax,
                "micro_batches_in_flight_count"),
            fingerprint: try reader.name(message.model_fingerprint, "model_fingerprint"),
            expertHosts: try Self.expertHosts(message, reader),
            settings: try StageSettings(parsing: message, reader))
    }

    private static func expertHosts(
        _ message: Skein__V1__Placement, _ reader: FieldReader
    ) throws(WireError) -> [ExpertHost] {
        let pointers = try reader.list(
            message.expert_hosts, message.n_expert_hosts, in: 0...Limits.nodesMax, "expert_hosts")
        var hosts: [ExpertHost] = []
        for (place, pointer) in pointers.enumerated() {
            let reader = reader.at("expert_hosts", place)
            hosts.append(try ExpertHost(parsing: try reader.part(pointer, ""), reader))
        }
        return hosts
    }

    /// The stages, once their layers are found to follow each other from the embedding to the head.
    private static func ring(
        _ message: Skein__V1__Placement, _ reader: FieldReader
    ) throws(WireError) -> [RingStage] {
        let stages = try reader.list(
            message.ring_stages, message.n_ring_stages, in: 1...Limits.stagesMax, "ring_stages")
        var ring: [RingStage] = []
        var nextLayer = 0
        for (place, pointer) in stages.enumerated() {
            let reader = reader.at("ring_stages", place)
            let stage = try RingStage(parsing: try reader.part(pointer, ""), reader)
            guard stage.index.rawValue == place else {
                throw reader.error("stage_index", "\(stage.index.rawValue)")
            }
            guard stage.slice.layers.lowerBound == nextLayer else {
                throw reader.error(
                    "first_layer_index",
                    "\(stage.slice.layers.lowerBound), expected \(nextLayer)")
            }
            guard stage.slice.holdsEmbedding == (place == 0),
                stage.slice.holdsHead == (place == stages.count - 1)
            else {
                throw reader.error(
                    "", "the embedding belongs to the first stage, the head to the last")
            }
            nextLayer = stage.slice.layers.upperBound
            ring.append(stage)
        }
        return ring
    }
}

extension RingStage {
    fileprivate init(
        parsing message: Skein__V1__RingStage, _ reader: FieldReader
    ) throws(WireError) {
        let key = try reader.key(message.public_key, "public_key")
        let firstLayer = try reader.number(
            message.first_layer_index, in: 0...(Limits.layersMax - 1),
            "first_layer_index")
        let layerCount = try reader.number(
            message.layer_count, in: 1...(Limits.layersMax - firstLayer), "layer_count")
        self.init(
            index: try reader.stage(message.stage_index, "stage_index"),
            nodeName: try reader.name(message.node_name, "node_name"),
            address: try reader.text(
                message.address, bytesMax: Limits.addressBytesMax, mayBeEmpty: true,
                "address"),
            publicKey: key,
            slice: Slice(
                layers: firstLayer..<(firstLayer + layerCount),
                holdsEmbedding: message.holds_embedding != 0,
                holdsHead: message.holds_head != 0))
    }
}

extension Alive {
    fileprivate init(
        parsing message: Skein__V1__Alive, _ reader: FieldReader
    ) throws(WireError) {
        self.init(
            sequenceNumber: message.sequence_number,
            sentAtMicroseconds: message.sent_at_microseconds)
        residentBytes = message.resident_bytes
        usedPageCount = try reader.number(
            message.used_page_count, in: 0...Int(Int32.max), "used_page_count")
        doneStepCount = message.done_step_count
        stepP50Microseconds = message.step_p50_microseconds
        stepP99Microseconds = message.step_p99_microseconds
        guard message.tokens_per_second.isFinite, message.tokens_per_second >= 0 else {
            throw reader.error("tokens_per_second", "\(message.tokens_per_second)")
        }
        tokensPerSecond = message.tokens_per_second
        let times = try reader.list(
            message.stage_times, message.n_stage_times, in: 0...Limits.stagesMax, "stage_times")
        for (place, pointer) in times.enumerated() {
            let reader = reader.at("stage_times", place)
            stageTimes.append(
                try StageTimes(parsing: try reader.part(pointer, ""), reader))
        }
        lastError = try reader.reason(message.last_error, "last_error")
        lastErrorAgeMicroseconds = message.last_error_age_microseconds
        echoedAtMicroseconds = message.echoed_at_microseconds
        memoryAvailableBytes = message.memory_available_bytes
        heardAtMicroseconds = message.heard_at_microseconds
        if let times = message.expert_times {
            expertTimes = try ExpertTimes(parsing: times.pointee, reader)
        }
    }
}

extension StageTimes {
    fileprivate init(
        parsing message: Skein__V1__StageTimes, _ reader: FieldReader
    ) throws(WireError) {
        self.init(
            stage: try reader.stage(message.stage_index, "stage_index"),
            busyMicroseconds: message.busy_microseconds,
            waitingInMicroseconds: message.waiting_in_microseconds,
            waitingOutMicroseconds: message.waiting_out_microseconds,
            sendingMicroseconds: message.sending_microseconds)
        // Micro-batches are counted from 1.
        let current = message.current_micro_batch_id
        currentMicroBatch = current == 0 ? nil : MicroBatchID(rawValue: current)
        currentStepMicroseconds = message.current_step_microseconds
        let last = message.last_micro_batch_id
        lastMicroBatch = last == 0 ? nil : MicroBatchID(rawValue: last)
        waitingCombineMicroseconds = message.waiting_combine_microseconds
    }
}

extension Fault {
    fileprivate init(
        parsing message: Skein__V1__Fault, _ reader: FieldReader
    ) throws(WireError) {
        let concerns =
            message.concerned_micro_batch_case
            == SKEIN__V1__FAULT__CONCERNED_MICRO_BATCH_MICRO_BATCH_ID
        self.init(
            stage: try reader.stage(message.stage_index, "stage_index"),
            microBatch: concerns ? MicroBatchID(rawValue: message.micro_batch_id) : nil,
            reason: try reader.reason(message.reason, "reason"))
    }
}
