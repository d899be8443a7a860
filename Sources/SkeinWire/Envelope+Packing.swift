import CProtobufC
import CSkeinProto
public import SkeinCore

extension Envelope {
    /// The message as frames: the envelope, then the tensors.
    ///
    /// Throws where the message is larger than a receiver would accept, or a name is.
    public func packed() throws(WireError) -> [Frame] {
        let arena = PackingArena()
        let envelope = arena.message(skein__v1__envelope__init)
        envelope.pointee.wire_version = WireVersion.current
        envelope.pointee.epoch = epoch.rawValue
        envelope.pointee.sender_name = arena.text(sender)
        if let target {
            envelope.pointee.target_case = SKEIN__V1__ENVELOPE__TARGET_TARGET_STAGE_INDEX
            envelope.pointee.target_stage_index = UInt32(target.rawValue)
        }
        let tensors = body.tensors
        let descriptions = tensors.map { Optional($0.packed(in: arena)) }
        envelope.pointee.n_tensor_frames = descriptions.count
        envelope.pointee.tensor_frames = arena.list(descriptions)
        try checkTexts()
        body.pack(into: &envelope.pointee, in: arena)

        let byteCount = skein__v1__envelope__get_packed_size(envelope)
        guard byteCount <= Limits.envelopeBytesMax else {
            throw WireError(
                reason: .tooLong, peer: sender, field: body.kind,
                detail: "an envelope of \(byteCount) bytes, at most \(Limits.envelopeBytesMax) fit")
        }
        let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initializedCount in
            initializedCount = skein__v1__envelope__pack(envelope, buffer.baseAddress)
        }
        return [Frame(bytes)] + tensors.map(\.frame)
    }

    private func checkTexts() throws(WireError) {
        for (field, text, bytesMax) in body.texts + [("sender_name", sender, Limits.nameBytesMax)] {
            guard text.utf8.count <= bytesMax else {
                throw WireError(
                    reason: .wrongField, peer: sender, field: "\(body.kind).\(field)",
                    detail: "\(text.utf8.count) bytes, at most \(bytesMax) fit")
            }
        }
    }
}

extension Envelope.Body {
    /// The tensors that follow the envelope.
    fileprivate var tensors: [TensorFrame] {
        switch self {
        case .step(let step): [step.hidden, step.scales].compactMap(\.self)
        case .captured(let captured): captured.values.map(\.tensor)
        case .dispatch(let dispatch): [dispatch.rows, dispatch.scales].compactMap(\.self)
        case .combine(let combine):
            if case .outputs(let outputs) = combine.outcome { [outputs] } else { [] }
        default: []
        }
    }

    /// Names, whose length is checked rather than cut.
    fileprivate var texts: [(field: String, text: String, bytesMax: Int)] {
        switch self {
        case .hello(let hello):
            [
                ("node_name", hello.nodeName, Limits.nameBytesMax),
                ("software_version", hello.softwareVersion, Limits.nameBytesMax),
                ("model_fingerprint", hello.fingerprint, Limits.nameBytesMax),
                ("inbox_address", hello.inboxAddress, Limits.addressBytesMax),
                ("cpu_isa", hello.cpuISA, Limits.nameBytesMax),
            ]
        case .placement(let placement):
            [("model_fingerprint", placement.fingerprint, Limits.nameBytesMax)]
                + placement.ring.flatMap { stage in
                    [
                        ("ring_stages.node_name", stage.nodeName, Limits.nameBytesMax),
                        ("ring_stages.address", stage.address, Limits.addressBytesMax),
                    ]
                }
                + placement.expertHosts.flatMap { host in
                    [
                        ("expert_hosts.node_name", host.nodeName, Limits.nameBytesMax),
                        ("expert_hosts.address", host.address, Limits.addressBytesMax),
                    ]
                }
        default: []
        }
    }

    fileprivate func pack(into envelope: inout Skein__V1__Envelope, in arena: PackingArena) {
        switch self {
        case .hello, .refused, .placement, .loading, .ready, .alive, .leave, .shutdown:
            packMember(into: &envelope, in: arena)
        case .fault(let fault):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_FAULT
            envelope.fault = fault.packed(in: arena)
        case .release(let sequences):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_RELEASE
            envelope.release = arena.message(skein__v1__release__init)
            envelope.release.pointee.n_sequence_ids = sequences.count
            envelope.release.pointee.sequence_ids = arena.list(sequences.map(\.rawValue))
        case .traceRequest(let request):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_TRACE_REQUEST
            envelope.trace_request = request.packed(in: arena)
        case .traceAnswer(let answer):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_TRACE_ANSWER
            envelope.trace_answer = answer.packed(in: arena)
        case .step(let step):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_STEP
            envelope.step = step.packed(in: arena)
        case .tokenReturn(let outcome):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_TOKEN_RETURN
            envelope.token_return = outcome.packed(in: arena)
        case .captured(let captured):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_CAPTURED
            envelope.captured = captured.packed(in: arena)
        case .dispatch(let dispatch):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_DISPATCH
            envelope.dispatch = dispatch.packed(in: arena)
        case .combine(let combine):
            envelope.body_case = SKEIN__V1__ENVELOPE__BODY_COMBINE
            envelope.combine = combine.packed(in: arena)
        }
    }
}

extension TensorFrame {
    fileprivate func packed(
        in arena: PackingArena
    ) -> UnsafeMutablePointer<Skein__V1__TensorFrame> {
        let message = arena.message(skein__v1__tensor_frame__init)
        message.pointee.element_type = element.wire
        message.pointee.n_dimension_counts = 2
        message.pointee.dimension_counts = arena.list([UInt32(rowCount), UInt32(columnCount)])
        message.pointee.frame_bytes = UInt64(frame.byteCount)
        return message
    }
}

extension TensorFrame.Element {
    /// The element type's number on the wire.
    var wire: Skein__V1__ElementType {
        switch self {
        case .f32: SKEIN__V1__ELEMENT_TYPE__ELEMENT_TYPE_F32
        case .bf16: SKEIN__V1__ELEMENT_TYPE__ELEMENT_TYPE_BF16
        case .i32: SKEIN__V1__ELEMENT_TYPE__ELEMENT_TYPE_I32
        case .f8e4m3: SKEIN__V1__ELEMENT_TYPE__ELEMENT_TYPE_F8_E4M3
        }
    }
}
