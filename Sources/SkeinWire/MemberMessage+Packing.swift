// Packs the messages of MemberMessage.swift.

import CProtobufC
import CSkeinProto
import SkeinCore

extension Envelope.Body {
    /// Packs what nodes say about themselves and each other.
    func packMember(into envelope: inout Skein__V1__Envelope, in arena: PackingArena) {
        switch self {
        case .hello(let hello):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_HELLO
            envelope.hello = hello.packed(in: arena)
        case .refused(let reason):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_REFUSED
            envelope.refused = arena.message(skein__v1__refused__init)
            envelope.refused.pointee.reason = arena.reason(reason)
        case .placement(let placement):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_PLACEMENT
            envelope.placement = placement.packed(in: arena)
        case .loading(let loading):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_LOADING
            envelope.loading = arena.message(skein__v1__loading__init)
            envelope.loading.pointee.done_bytes = loading.doneBytes
            envelope.loading.pointee.total_bytes = loading.totalBytes
        case .ready(let ready):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_READY
            envelope.ready = arena.message(skein__v1__ready__init)
            envelope.ready.pointee.loaded_weight_bytes = ready.loadedWeightBytes
            envelope.ready.pointee.resident_bytes = ready.residentBytes
        case .alive(let alive):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_ALIVE
            envelope.alive = alive.packed(in: arena)
        case .leave(let reason):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_LEAVE
            envelope.leave = arena.message(skein__v1__leave__init)
            envelope.leave.pointee.reason = arena.reason(reason)
        case .shutdown:
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_SHUTDOWN
            envelope.shutdown = arena.message(skein__v1__shutdown__init)
        case .fault, .release, .traceRequest, .traceAnswer, .step, .tokenReturn, .captured,
            .dispatch, .combine:
            preconditionFailure("\(kind) is not said by a member about members")
        }
    }
}

extension PackingArena {
    /// A reason, cut where it is too long: half a reason is better than none.
    func reason(_ text: String) -> UnsafeMutablePointer<CChar>? {
        self.text(Self.oneLine(text), cutTo: Limits.reasonBytesMax)
    }

    private static func oneLine(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return text }
        var line = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            line.append(scalar.value < 0x20 || scalar.value == 0x7F ? " " : scalar)
        }
        return String(line)
    }
}

extension Hello {
    fileprivate func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__Hello> {
        let message = arena.message(skein__v1__hello__init)
        message.pointee.node_name = arena.text(nodeName)
        message.pointee.wire_version = wireVersion
        message.pointee.software_version = arena.text(softwareVersion)
        message.pointee.model_fingerprint = arena.text(fingerprint)
        message.pointee.inbox_address = arena.text(inboxAddress)
        message.pointee.process_id = processID
        message.pointee.memory_available_bytes = memoryAvailableBytes
        message.pointee.cpu_isa = arena.text(cpuISA)
        message.pointee.thread_count = UInt32(threadCount)
        return message
    }
}

extension Placement {
    fileprivate func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__Placement> {
        let message = arena.message(skein__v1__placement__init)
        message.pointee.node_index = UInt32(nodeIndex)
        message.pointee.placement_kind =
            kind == .linear
            ? SKEIN__V1__PLACEMENT_KIND__PLACEMENT_KIND_LINEAR
            : SKEIN__V1__PLACEMENT_KIND__PLACEMENT_KIND_VFOLD
        message.pointee.n_ring_stages = ring.count
        message.pointee.ring_stages = arena.list(ring.map { Optional($0.packed(in: arena)) })
        message.pointee.page_count = UInt32(settings.pageCount)
        message.pointee.page_row_count = UInt32(pageRowCount)
        message.pointee.micro_batches_in_flight_count = UInt32(microBatchesInFlight)
        message.pointee.model_fingerprint = arena.text(fingerprint)
        message.pointee.n_expert_hosts = expertHosts.count
        message.pointee.expert_hosts = arena.list(
            expertHosts.map { Optional($0.packed(in: arena)) })
        message.pointee.steps_at_once_count = UInt32(settings.stepsAtOnce)
        message.pointee.hops_float8 = settings.hopForm == .fp8 ? 1 : 0
        message.pointee.dispatches_float8 = settings.dispatchForm == .fp8 ? 1 : 0
        message.pointee.keeps_latents_float8 = settings.latentForm == .fp8 ? 1 : 0
        message.pointee.speculates = settings.speculates ? 1 : 0
        return message
    }
}

extension RingStage {
    fileprivate func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__RingStage> {
        let message = arena.message(skein__v1__ring_stage__init)
        message.pointee.stage_index = UInt32(index.rawValue)
        message.pointee.node_name = arena.text(nodeName)
        message.pointee.address = arena.text(address)
        message.pointee.public_key = arena.text(publicKey ?? "")
        message.pointee.first_layer_index = UInt32(slice.layers.lowerBound)
        message.pointee.layer_count = UInt32(slice.layers.count)
        message.pointee.holds_embedding = slice.holdsEmbedding ? 1 : 0
        message.pointee.holds_head = slice.holdsHead ? 1 : 0
        return message
    }
}

extension Alive {
    fileprivate func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__Alive> {
        let message = arena.message(skein__v1__alive__init)
        message.pointee.sequence_number = sequenceNumber
        message.pointee.sent_at_microseconds = sentAtMicroseconds
        message.pointee.resident_bytes = residentBytes
        message.pointee.used_page_count = UInt32(usedPageCount)
        message.pointee.done_step_count = doneStepCount
        message.pointee.step_p50_microseconds = stepP50Microseconds
        message.pointee.step_p99_microseconds = stepP99Microseconds
        message.pointee.tokens_per_second = tokensPerSecond
        message.pointee.n_stage_times = stageTimes.count
        message.pointee.stage_times = arena.list(
            stageTimes.map { Optional($0.packed(in: arena)) })
        message.pointee.last_error = arena.reason(lastError)
        message.pointee.last_error_age_microseconds = lastErrorAgeMicroseconds
        message.pointee.echoed_at_microseconds = echoedAtMicroseconds
        message.pointee.memory_available_bytes = memoryAvailableBytes
        message.pointee.heard_at_microseconds = heardAtMicroseconds
        message.pointee.expert_times = expertTimes?.packed(in: arena)
        return message
    }
}

extension StageTimes {
    fileprivate func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__StageTimes> {
        let message = arena.message(skein__v1__stage_times__init)
        message.pointee.stage_index = UInt32(stage.rawValue)
        message.pointee.busy_microseconds = busyMicroseconds
        message.pointee.waiting_in_microseconds = waitingInMicroseconds
        message.pointee.waiting_out_microseconds = waitingOutMicroseconds
        message.pointee.sending_microseconds = sendingMicroseconds
        message.pointee.current_micro_batch_id = currentMicroBatch?.rawValue ?? 0
        message.pointee.current_step_microseconds = currentStepMicroseconds
        message.pointee.last_micro_batch_id = lastMicroBatch?.rawValue ?? 0
        message.pointee.waiting_combine_microseconds = waitingCombineMicroseconds
        return message
    }
}

extension Fault {
    func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__Fault> {
        let message = arena.message(skein__v1__fault__init)
        message.pointee.stage_index = UInt32(stage.rawValue)
        if let microBatch {
            message.pointee.concerned_micro_batch_case =
                SKEIN__V1__FAULT__CONCERNED_MICRO_BATCH_MICRO_BATCH_ID
            message.pointee.micro_batch_id = microBatch.rawValue
        }
        message.pointee.reason = arena.reason(reason)
        return message
    }
}
