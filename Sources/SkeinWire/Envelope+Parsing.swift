import CProtobufC
import CSkeinProto
public import SkeinCore

extension Envelope {
    /// Reads a message that `peer` sent, checking everything before using it.
    ///
    /// - Parameter peer: who sent it as far as the transport knows, for the error line.
    public init(parsing frames: [Frame], from peer: String) throws(WireError) {
        let reader = FieldReader(peer: peer, kind: "envelope")
        let bytes = try Self.envelopeBytes(frames, reader)
        guard let unpacked = UnpackedEnvelope(bytes) else {
            // A far version may not unpack as this one; say so rather than calling it torn.
            if let version = Self.leadingVersion(bytes), !WireVersion.canRead(version) {
                throw reader.versionError(version)
            }
            throw reader.error("", "\(bytes.count) bytes that are no envelope", reason: .torn)
        }
        defer { unpacked.free() }
        let envelope = unpacked.pointer.pointee
        guard Self.isOfEveryVersion(envelope) || WireVersion.canRead(UInt64(envelope.wire_version))
        else { throw reader.versionError(UInt64(envelope.wire_version)) }
        guard let kind = Self.kind(of: envelope.body_case) else {
            throw reader.kindError(envelope.base)
        }
        let bodyReader = FieldReader(peer: peer, kind: kind)
        let epoch = Epoch(rawValue: envelope.epoch)
        let tensors = try Self.tensors(envelope, frames, bodyReader)
        let body = try Body(parsing: envelope, tensors: tensors, bodyReader)
        guard epoch != .none || !body.needsEpoch else {
            throw bodyReader.error("epoch", "missing, expected 1 or more", reason: .epochMissing)
        }
        var target: StageIndex?
        if envelope.target_case == SKEIN__V1__ENVELOPE__TARGET_TARGET_STAGE_INDEX {
            target = try bodyReader.stage(envelope.target_stage_index, "target_stage_index")
        }
        switch body {
        case .step(let step): try step.check(target: target, bodyReader)
        case .combine(let combine): try combine.check(target: target, bodyReader)
        default: break
        }
        self.init(
            epoch: epoch,
            sender: try bodyReader.text(
                envelope.sender_name, bytesMax: Limits.nameBytesMax, "sender_name"),
            target: target, body: body)
    }

    /// The bytes of frame 0, after the checks that need no unpacking.
    private static func envelopeBytes(
        _ frames: [Frame], _ reader: FieldReader
    ) throws(WireError) -> [UInt8] {
        guard let first = frames.first, !first.bytes.isEmpty else {
            throw reader.error("", "no bytes", reason: .empty)
        }
        guard first.byteCount <= Limits.envelopeBytesMax else {
            throw reader.error(
                "", "\(first.byteCount) bytes, at most \(Limits.envelopeBytesMax) expected",
                reason: .tooLong)
        }
        guard frames.count <= Limits.framesMax else {
            throw reader.error(
                "", "\(frames.count) frames, at most \(Limits.framesMax) expected",
                reason: .tooLong)
        }
        return first.bytes
    }

    /// Whether a message is of a kind that every version reads, so that peers whose versions are
    /// too far apart can tell each other so.
    private static func isOfEveryVersion(_ envelope: Skein__V1__Envelope) -> Bool {
        envelope.wire_version > 0
            && (envelope.body_case == SKEIN__V1__ENVELOPE__BODY_HELLO
                || envelope.body_case == SKEIN__V1__ENVELOPE__BODY_REFUSED)
    }

    /// The varint of field 1 where the bytes begin with it, as those of every packer do.
    private static func leadingVersion(_ bytes: [UInt8]) -> UInt64? {
        guard bytes.first == 0x08 else { return nil }
        var version: UInt64 = 0
        for (place, byte) in bytes.dropFirst().prefix(9).enumerated() {
            version |= UInt64(byte & 0x7F) << UInt64(7 * place)
            if byte & 0x80 == 0 { return version }
        }
        return nil
    }

    private static func kind(of bodyCase: Skein__V1__Envelope__BodyCase) -> String? {
        switch bodyCase {
        case SKEIN__V1__ENVELOPE__BODY_HELLO: "hello"
        case SKEIN__V1__ENVELOPE__BODY_REFUSED: "refused"
        case SKEIN__V1__ENVELOPE__BODY_PLACEMENT: "placement"
        case SKEIN__V1__ENVELOPE__BODY_LOADING: "loading"
        case SKEIN__V1__ENVELOPE__BODY_READY: "ready"
        case SKEIN__V1__ENVELOPE__BODY_ALIVE: "alive"
        case SKEIN__V1__ENVELOPE__BODY_LEAVE: "leave"
        case SKEIN__V1__ENVELOPE__BODY_SHUTDOWN: "shutdown"
        case SKEIN__V1__ENVELOPE__BODY_FAULT: "fault"
        case SKEIN__V1__ENVELOPE__BODY_RELEASE: "release"
        case SKEIN__V1__ENVELOPE__BODY_TRACE_REQUEST: "trace_request"
        case SKEIN__V1__ENVELOPE__BODY_TRACE_ANSWER: "trace_answer"
        case SKEIN__V1__ENVELOPE__BODY_STEP: "step"
        case SKEIN__V1__ENVELOPE__BODY_TOKEN_RETURN: "token_return"
        case SKEIN__V1__ENVELOPE__BODY_CAPTURED: "captured"
        case SKEIN__V1__ENVELOPE__BODY_DISPATCH: "dispatch"
        case SKEIN__V1__ENVELOPE__BODY_COMBINE: "combine"
        default: nil
        }
    }

    /// Joins each description with its frame, once they agree.
    private static func tensors(
        _ envelope: Skein__V1__Envelope, _ frames: [Frame], _ reader: FieldReader
    ) throws(WireError) -> [TensorFrame] {
        guard envelope.n_tensor_frames == frames.count - 1 else {
            throw reader.error(
                "tensor_frames",
                "describes \(envelope.n_tensor_frames) frames, \(frames.count - 1) came",
                reason: .wrongFrames)
        }
        var tensors: [TensorFrame] = []
        for place in 0..<envelope.n_tensor_frames {
            let field = "tensor_frames[\(place)]"
            guard let description = envelope.tensor_frames[place] else {
                throw reader.error(field, "missing")
            }
            tensors.append(
                try tensor(description.pointee, frames[place + 1], field: field, reader))
        }
        return tensors
    }

    private static func tensor(
        _ description: Skein__V1__TensorFrame, _ frame: Frame, field: String,
        _ reader: FieldReader
    ) throws(WireError) -> TensorFrame {
        let number = description.element_type
        guard let element = TensorFrame.Element.allCases.first(where: { $0.wire == number }) else {
            throw reader.error(
                "\(field).element_type", "\(number.rawValue) is no known type",
                reason: .wrongFrames)
        }
        guard description.n_dimension_counts == 2 else {
            throw reader.error(
                "\(field).dimension_counts",
                "\(description.n_dimension_counts) dimensions, expected rows and columns",
                reason: .wrongFrames)
        }
        let rowCount = Int(description.dimension_counts[0])
        let columnCount = Int(description.dimension_counts[1])
        // Two 32-bit numbers and a 4 have at most 66 bits.
        let (valueCount, isHuge) = rowCount.multipliedReportingOverflow(by: columnCount)
        let (byteCount, isHuger) = valueCount.multipliedReportingOverflow(by: element.byteCount)
        guard !isHuge, !isHuger, byteCount > 0, byteCount <= Limits.frameBytesMax else {
            throw reader.error(
                "\(field).dimension_counts",
                "[\(rowCount), \(columnCount)] of \(element), expected 1 to "
                    + "\(Limits.frameBytesMax) bytes", reason: .wrongFrames)
        }
        guard byteCount == frame.byteCount, description.frame_bytes == UInt64(byteCount) else {
            throw reader.error(
                field,
                "[\(rowCount), \(columnCount)] of \(element) is \(byteCount) bytes, described as "
                    + "\(description.frame_bytes), \(frame.byteCount) came", reason: .wrongFrames)
        }
        return TensorFrame(element, rows: rowCount, columns: columnCount, bytes: frame.bytes)
    }
}

extension FieldReader {
    fileprivate func versionError(_ version: UInt64) -> WireError {
        error(
            "wire_version", "\(version), this node speaks \(WireVersion.current)",
            reason: .unknownVersion)
    }

    /// Names the field that a later minor version may have put in the body's place.
    fileprivate func kindError(_ base: ProtobufCMessage) -> WireError {
        let unknown = base.n_unknown_fields > 0 ? base.unknown_fields[0].tag : 0
        return error(
            "body",
            unknown > 0 ? "kind \(unknown) is not known here" : "the message has no kind",
            reason: .unknownKind)
    }
}

extension Envelope.Body {
    /// Whether the kind makes sense under a placement only.
    fileprivate var needsEpoch: Bool {
        switch self {
        case .placement, .loading, .ready, .release, .step, .tokenReturn, .captured,
            .traceRequest, .traceAnswer, .dispatch, .combine:
            true
        case .hello, .refused, .alive, .leave, .shutdown, .fault: false
        }
    }

    fileprivate init(
        parsing envelope: Skein__V1__Envelope, tensors: [TensorFrame], _ reader: FieldReader
    ) throws(WireError) {
        let epoch = Epoch(rawValue: envelope.epoch)
        switch envelope.body_case {
        case SKEIN__V1__ENVELOPE__BODY_STEP:
            let step = try reader.part(envelope.step, "")
            let microBatch = try MicroBatch(parsing: step, epoch: epoch, reader)
            let times = try reader.times(
                step.stage_compute_microseconds, step.n_stage_compute_microseconds,
                "stage_compute_microseconds")
            self = .step(try Step(microBatch, tensors, stageTimes: times, reader))
            return
        case SKEIN__V1__ENVELOPE__BODY_CAPTURED:
            let captured = try reader.part(envelope.captured, "")
            self = .captured(try Captured(parsing: captured, tensors: tensors, reader))
            return
        case SKEIN__V1__ENVELOPE__BODY_DISPATCH:
            let dispatch = try reader.part(envelope.dispatch, "")
            self = .dispatch(try Dispatch(parsing: dispatch, tensors: tensors, reader))
            return
        case SKEIN__V1__ENVELOPE__BODY_COMBINE:
            let combine = try reader.part(envelope.combine, "")
            self = .combine(try Combine(parsing: combine, tensors: tensors, reader))
            return
        default: break
        }
        guard tensors.isEmpty else {
            throw reader.error(
                "tensor_frames", "\(tensors.count) tensors, expected none", reason: .wrongFrames)
        }
        switch envelope.body_case {
        case SKEIN__V1__ENVELOPE__BODY_TOKEN_RETURN:
            let outcome = try reader.part(envelope.token_return, "")
            self = .tokenReturn(try TokenReturn(parsing: outcome, epoch: epoch, reader))
        case SKEIN__V1__ENVELOPE__BODY_RELEASE:
            let release = try reader.part(envelope.release, "")
            let ids = try reader.list(
                release.sequence_ids, release.n_sequence_ids, in: 0...Limits.releasedSequencesMax,
                "sequence_ids")
            self = .release(ids.map { SequenceID(rawValue: $0) })
        case SKEIN__V1__ENVELOPE__BODY_TRACE_REQUEST:
            self = .traceRequest(
                TraceRequest(parsing: try reader.part(envelope.trace_request, "")))
        case SKEIN__V1__ENVELOPE__BODY_TRACE_ANSWER:
            self = .traceAnswer(
                try TraceAnswer(parsing: try reader.part(envelope.trace_answer, ""), reader))
        default: self = try Self(parsingMember: envelope, epoch: epoch, reader)
        }
    }
}
