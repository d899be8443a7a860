// Parses what a step returns: tokens and captured values.

import CProtobufC
import CSkeinProto
import SkeinCore

extension TokenReturn {
    init(
        parsing message: Skein__V1__TokenReturn, epoch: Epoch, _ reader: FieldReader
    ) throws(WireError) {
        let pointers = try reader.list(
            message.tokens, message.n_tokens, in: 0...Limits.microBatchRowsMax, "tokens")
        var tokens: [SampledToken] = []
        for (place, pointer) in pointers.enumerated() {
            let reader = reader.at("tokens", place)
            tokens.append(try SampledToken(parsing: try reader.part(pointer, ""), reader))
        }
        let logprobs = try reader.list(
            message.target_logprobs, message.n_target_logprobs, in: 0...Limits.microBatchRowsMax,
            "target_logprobs")
        for (place, value) in logprobs.enumerated() {
            _ = try reader.logprob(value, "target_logprobs[\(place)]")
        }
        self.init(
            microBatch: MicroBatchID(rawValue: message.micro_batch_id), epoch: epoch,
            tokens: tokens, targetLogprobs: Array(logprobs),
            stageTimes: try reader.times(
                message.stage_compute_microseconds, message.n_stage_compute_microseconds,
                "stage_compute_microseconds"))
    }
}

extension SampledToken {
    fileprivate init(
        parsing message: Skein__V1__SampledToken, _ reader: FieldReader
    ) throws(WireError) {
        let topTokens = try reader.tokens(
            message.top_token_ids, message.n_top_token_ids, in: 0...Limits.topLogprobsMax,
            "top_token_ids")
        let topValues = try reader.list(
            message.top_logprobs, message.n_top_logprobs, in: topTokens.count...topTokens.count,
            "top_logprobs")
        var topLogprobs: [TokenLogprob] = []
        for (token, value) in zip(topTokens, topValues) {
            let logprob = try reader.logprob(value, "top_logprobs")
            topLogprobs.append(TokenLogprob(token: token, logprob: logprob))
        }
        var logprob: Float?
        if message.wanted_logprob_case == SKEIN__V1__SAMPLED_TOKEN__WANTED_LOGPROB_LOGPROB {
            logprob = try reader.logprob(message.logprob, "logprob")
        }
        self.init(
            sequence: SequenceID(rawValue: message.sequence_id),
            position: try reader.number(
                message.position_index, in: 0...Limits.positionsMax, "position_index"),
            token: try reader.token(message.token_id, "token_id"),
            logprob: logprob, topLogprobs: topLogprobs)
    }
}

extension Captured {
    init(
        parsing message: Skein__V1__Captured, tensors: [TensorFrame], _ reader: FieldReader
    ) throws(WireError) {
        guard message.n_values == tensors.count, !tensors.isEmpty else {
            throw reader.error(
                "values", "\(message.n_values) names for \(tensors.count) tensors",
                reason: .wrongFrames)
        }
        var values: [Value] = []
        var kinds: Set<CapturedKind> = []
        for (place, tensor) in tensors.enumerated() {
            let inner = reader.at("values", place)
            let kind = try CapturedKind(parsing: try inner.part(message.values[place], ""), inner)
            guard kinds.insert(kind).inserted else { throw inner.error("", "comes twice") }
            guard tensor.element == kind.element else {
                throw reader.error(
                    "tensor_frames[\(place)].element_type",
                    "\(tensor.element), expected \(kind.element)", reason: .wrongFrames)
            }
            guard tensor.rowCount <= Limits.microBatchRowsMax,
                tensor.rowCount == tensors[0].rowCount
            else {
                throw reader.error(
                    "tensor_frames[\(place)].dimension_counts",
                    "\(tensor.rowCount) rows, expected \(tensors[0].rowCount) and at most "
                        + "\(Limits.microBatchRowsMax)", reason: .wrongFrames)
            }
            values.append(Value(kind, tensor))
        }
        self.init(
            microBatch: MicroBatchID(rawValue: message.micro_batch_id),
            stage: try reader.stage(message.stage_index, "stage_index"), values: values)
    }
}

extension CapturedKind {
    fileprivate init(
        parsing message: Skein__V1__CapturedValue, _ reader: FieldReader
    ) throws(WireError) {
        let layer = LayerIndex(
            try reader.number(
                message.layer_index, in: 0...(Limits.layersMax - 1), "layer_index"))
        switch message.capture_kind {
        case SKEIN__V1__CAPTURE_KIND__CAPTURE_KIND_LOGITS: self = .logits
        case SKEIN__V1__CAPTURE_KIND__CAPTURE_KIND_HIDDEN: self = .hidden(layer)
        case SKEIN__V1__CAPTURE_KIND__CAPTURE_KIND_FINAL_HIDDEN: self = .finalHidden
        case SKEIN__V1__CAPTURE_KIND__CAPTURE_KIND_ROUTER_INDEXES: self = .routerIndexes(layer)
        case SKEIN__V1__CAPTURE_KIND__CAPTURE_KIND_ROUTER_WEIGHTS: self = .routerWeights(layer)
        default:
            throw reader.error(
                "capture_kind", "\(message.capture_kind.rawValue) is no known kind")
        }
    }
}
