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
        var tops = try Self.tops(message, rowCount: logprobs.count, reader)[...]
        var scores: [TargetScore] = []
        for (place, value) in logprobs.enumerated() {
            scores.append(
                TargetScore(
                    logprob: try reader.logprob(value, "target_logprobs[\(place)]"),
                    topLogprobs: tops.popFirst() ?? []))
        }
        self.init(
            microBatch: MicroBatchID(rawValue: message.micro_batch_id), epoch: epoch,
            tokens: tokens, targetScores: scores,
            stageTimes: try reader.times(
                message.stage_compute_microseconds, message.n_stage_compute_microseconds,
                "stage_compute_microseconds"))
        drafts = try Self.drafts(message, reader)
    }

    /// What was guessed for each span that asked for a token; nothing where no span has any.
    private static func drafts(
        _ message: Skein__V1__TokenReturn, _ reader: FieldReader
    ) throws(WireError) -> [[TokenID]] {
        let counts = try reader.list(
            message.draft_counts, message.n_draft_counts, in: 0...Limits.microBatchSpansMax,
            "draft_counts")
        var total = 0
        for (place, count) in counts.enumerated() {
            total += try reader.number(
                count, in: 0...Limits.draftsMax, "draft_counts[\(place)]")
        }
        var tokens = try reader.tokens(
            message.draft_token_ids, message.n_draft_token_ids, in: total...total,
            "draft_token_ids")[...]
        return counts.map { count in
            defer { tokens = tokens.dropFirst(Int(count)) }
            return Array(tokens.prefix(Int(count)))
        }
    }

    /// The most probable tokens of each scored row; none at all where no row asked for any.
    private static func tops(
        _ message: Skein__V1__TokenReturn, rowCount: Int, _ reader: FieldReader
    ) throws(WireError) -> [[TokenLogprob]] {
        let countsMax = message.n_target_top_counts == 0 ? 0 : rowCount
        let counts = try reader.list(
            message.target_top_counts, message.n_target_top_counts, in: countsMax...countsMax,
            "target_top_counts")
        var total = 0
        for (place, count) in counts.enumerated() {
            total += try reader.number(
                count, in: 0...Limits.topLogprobsMax, "target_top_counts[\(place)]")
        }
        var tokens = try reader.tokens(
            message.target_top_token_ids, message.n_target_top_token_ids, in: total...total,
            "target_top_token_ids")[...]
        var values = try reader.list(
            message.target_top_logprobs, message.n_target_top_logprobs, in: total...total,
            "target_top_logprobs")[...]
        var tops: [[TokenLogprob]] = []
        for count in counts {
            var row: [TokenLogprob] = []
            for (token, value) in zip(tokens.prefix(Int(count)), values.prefix(Int(count))) {
                let logprob = try reader.logprob(value, "target_top_logprobs")
                row.append(TokenLogprob(token: token, logprob: logprob))
            }
            tokens = tokens.dropFirst(Int(count))
            values = values.dropFirst(Int(count))
            tops.append(row)
        }
        return tops
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
