// Packs what travels around the ring: steps, returned tokens and captured values.

import CProtobufC
import CSkeinProto
import SkeinCore

extension Step {
    func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__Step> {
        let message = microBatch.packed(in: arena)
        message.pointee.n_stage_compute_microseconds = stageTimes.count
        message.pointee.stage_compute_microseconds = arena.microseconds(stageTimes)
        return message
    }
}

extension MicroBatch {
    fileprivate func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__Step> {
        let message = arena.message(skein__v1__step__init)
        message.pointee.micro_batch_id = id.rawValue
        message.pointee.phase =
            phase == .prefill
            ? SKEIN__V1__PHASE__PHASE_PREFILL : SKEIN__V1__PHASE__PHASE_DECODE
        message.pointee.n_spans = spans.count
        message.pointee.spans = arena.list(spans.map { Optional($0.packed(in: arena)) })
        message.pointee.capture_bits = capture.rawValue
        return message
    }
}

extension SequenceSpan {
    fileprivate func packed(
        in arena: PackingArena
    ) -> UnsafeMutablePointer<Skein__V1__SequenceSpan> {
        let message = arena.message(skein__v1__sequence_span__init)
        message.pointee.sequence_id = sequence.rawValue
        message.pointee.first_position_index = UInt32(firstPosition)
        message.pointee.n_token_ids = tokens.count
        message.pointee.token_ids = arena.tokens(tokens)
        message.pointee.pages = arena.runs(pageTable)
        message.pointee.demand = demand?.packed(in: arena)
        message.pointee.n_target_token_ids = targets.count
        message.pointee.target_token_ids = arena.tokens(targets)
        message.pointee.target_top_logprobs_count = UInt32(targetTopLogprobsCount)
        message.pointee.page_copy = pageCopy?.packed(in: arena)
        message.pointee.request_label = arena.text(label, cutTo: Limits.labelBytesMax)
        message.pointee.draft_count = UInt32(draftCount)
        message.pointee.drafts_wanted_count = UInt32(draftsWantedCount)
        message.pointee.is_predicted = isPredicted ? 1 : 0
        if let followingToken {
            message.pointee.known_following_token_case =
                SKEIN__V1__SEQUENCE_SPAN__KNOWN_FOLLOWING_TOKEN_FOLLOWING_TOKEN_ID
            message.pointee.following_token_id = UInt32(bitPattern: followingToken.rawValue)
        }
        return message
    }
}

extension PageCopy {
    fileprivate func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__PageCopy> {
        let message = arena.message(skein__v1__page_copy__init)
        message.pointee.source_page_index = UInt32(bitPattern: source.rawValue)
        message.pointee.target_page_index = UInt32(bitPattern: target.rawValue)
        message.pointee.row_count = UInt32(rowCount)
        return message
    }
}

extension PackingArena {
    fileprivate func tokens(_ tokens: [TokenID]) -> UnsafeMutablePointer<UInt32>? {
        list(tokens.map { UInt32(bitPattern: $0.rawValue) })
    }

    /// Times of at most an hour, as the wire has them.
    fileprivate func microseconds(_ times: [Duration]) -> UnsafeMutablePointer<UInt32>? {
        list(times.map { UInt32(clamping: $0.wholeMicroseconds) })
    }

    /// A page table as runs of consecutive numbers.
    fileprivate func runs(_ pages: [PageIndex]) -> UnsafeMutablePointer<Skein__V1__PageRuns> {
        var firsts: [UInt32] = []
        var counts: [UInt32] = []
        var expected: Int32?
        for page in pages {
            if page.rawValue == expected {
                counts[counts.count - 1] += 1
            } else {
                firsts.append(UInt32(bitPattern: page.rawValue))
                counts.append(1)
            }
            expected = page.rawValue &+ 1
        }
        let message = message(skein__v1__page_runs__init)
        message.pointee.n_first_page_indexes = firsts.count
        message.pointee.first_page_indexes = list(firsts)
        message.pointee.n_page_counts = counts.count
        message.pointee.page_counts = list(counts)
        return message
    }
}

extension SamplingDemand {
    fileprivate func packed(
        in arena: PackingArena
    ) -> UnsafeMutablePointer<Skein__V1__SamplingDemand> {
        let message = arena.message(skein__v1__sampling_demand__init)
        message.pointee.parameters = parameters.packed(in: arena)
        message.pointee.n_prompt_token_ids = promptTokens.count
        message.pointee.prompt_token_ids = arena.tokens(promptTokens)
        message.pointee.n_completion_token_ids = completionTokens.count
        message.pointee.completion_token_ids = arena.tokens(completionTokens)
        message.pointee.allowed = allowed?.packed(in: arena)
        return message
    }
}

extension AllowedTokens {
    fileprivate func packed(
        in arena: PackingArena
    ) -> UnsafeMutablePointer<Skein__V1__AllowedTokens> {
        let message = arena.message(skein__v1__allowed_tokens__init)
        message.pointee.vocabulary_count = UInt32(vocabularySize)
        switch form {
        case .tokens(let tokens):
            var last: Int32 = 0
            let steps = tokens.map { token in
                defer { last = token.rawValue }
                return UInt32(bitPattern: token.rawValue - last)
            }
            message.pointee.n_token_steps = steps.count
            message.pointee.token_steps = arena.list(steps)
        case .bits(let words):
            let bits = (0..<(vocabularySize + 7) / 8).map { place in
                UInt8(truncatingIfNeeded: words[place >> 3] >> (UInt64(place & 7) * 8))
            }
            message.pointee.token_bits.len = bits.count
            message.pointee.token_bits.data = arena.list(bits)
        }
        return message
    }
}

extension SamplingParameters {
    fileprivate func packed(
        in arena: PackingArena
    ) -> UnsafeMutablePointer<Skein__V1__SamplingParameters> {
        let message = arena.message(skein__v1__sampling_parameters__init)
        message.pointee.temperature = temperature
        message.pointee.top_k_count = UInt32(topK)
        message.pointee.top_p = topP
        message.pointee.min_p = minP
        message.pointee.presence_penalty = presencePenalty
        message.pointee.frequency_penalty = frequencyPenalty
        message.pointee.repetition_penalty = repetitionPenalty
        // In token order, so that equal parameters have equal bytes.
        let biases = logitBias.sorted { $0.key < $1.key }
        message.pointee.n_bias_token_ids = biases.count
        message.pointee.bias_token_ids = arena.tokens(biases.map(\.key))
        message.pointee.n_bias_values = biases.count
        message.pointee.bias_values = arena.list(biases.map(\.value))
        message.pointee.seed = seed
        if let topLogprobsCount {
            message.pointee.wanted_top_logprobs_case =
                SKEIN__V1__SAMPLING_PARAMETERS__WANTED_TOP_LOGPROBS_TOP_LOGPROBS_COUNT
            message.pointee.top_logprobs_count = UInt32(topLogprobsCount)
        }
        return message
    }
}

extension TokenReturn {
    func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__TokenReturn> {
        let message = arena.message(skein__v1__token_return__init)
        message.pointee.micro_batch_id = microBatch.rawValue
        message.pointee.n_tokens = tokens.count
        message.pointee.tokens = arena.list(tokens.map { Optional($0.packed(in: arena)) })
        message.pointee.n_target_logprobs = targetScores.count
        message.pointee.target_logprobs = arena.list(targetScores.map(\.logprob))
        message.pointee.n_stage_compute_microseconds = stageTimes.count
        message.pointee.stage_compute_microseconds = arena.microseconds(stageTimes)
        if drafts.contains(where: { !$0.isEmpty }) {
            message.pointee.n_draft_counts = drafts.count
            message.pointee.draft_counts = arena.list(drafts.map { UInt32($0.count) })
            let all = drafts.flatMap { $0 }
            message.pointee.n_draft_token_ids = all.count
            message.pointee.draft_token_ids = arena.tokens(all)
        }
        let tops = targetScores.flatMap(\.topLogprobs)
        guard !tops.isEmpty else { return message }
        message.pointee.n_target_top_counts = targetScores.count
        message.pointee.target_top_counts = arena.list(
            targetScores.map { UInt32($0.topLogprobs.count) })
        message.pointee.n_target_top_token_ids = tops.count
        message.pointee.target_top_token_ids = arena.tokens(tops.map(\.token))
        message.pointee.n_target_top_logprobs = tops.count
        message.pointee.target_top_logprobs = arena.list(tops.map(\.logprob))
        return message
    }
}

extension SampledToken {
    fileprivate func packed(
        in arena: PackingArena
    ) -> UnsafeMutablePointer<Skein__V1__SampledToken> {
        let message = arena.message(skein__v1__sampled_token__init)
        message.pointee.sequence_id = sequence.rawValue
        message.pointee.position_index = UInt32(position)
        message.pointee.token_id = UInt32(bitPattern: token.rawValue)
        if let logprob {
            message.pointee.wanted_logprob_case =
                SKEIN__V1__SAMPLED_TOKEN__WANTED_LOGPROB_LOGPROB
            message.pointee.logprob = logprob
        }
        message.pointee.n_top_token_ids = topLogprobs.count
        message.pointee.top_token_ids = arena.tokens(topLogprobs.map(\.token))
        message.pointee.n_top_logprobs = topLogprobs.count
        message.pointee.top_logprobs = arena.list(topLogprobs.map(\.logprob))
        return message
    }
}

extension Captured {
    func packed(in arena: PackingArena) -> UnsafeMutablePointer<Skein__V1__Captured> {
        let message = arena.message(skein__v1__captured__init)
        message.pointee.micro_batch_id = microBatch.rawValue
        message.pointee.stage_index = UInt32(stage.rawValue)
        let values = values.map { value in
            let named = arena.message(skein__v1__captured_value__init)
            named.pointee.capture_kind = value.kind.wire
            named.pointee.layer_index = UInt32(value.kind.layer?.rawValue ?? 0)
            return Optional(named)
        }
        message.pointee.n_values = values.count
        message.pointee.values = arena.list(values)
        return message
    }
}

extension CapturedKind {
    fileprivate var wire: Skein__V1__CaptureKind {
        switch self {
        case .logits: SKEIN__V1__CAPTURE_KIND__CAPTURE_KIND_LOGITS
        case .hidden: SKEIN__V1__CAPTURE_KIND__CAPTURE_KIND_HIDDEN
        case .finalHidden: SKEIN__V1__CAPTURE_KIND__CAPTURE_KIND_FINAL_HIDDEN
        case .routerIndexes: SKEIN__V1__CAPTURE_KIND__CAPTURE_KIND_ROUTER_INDEXES
        case .routerWeights: SKEIN__V1__CAPTURE_KIND__CAPTURE_KIND_ROUTER_WEIGHTS
        }
    }
}
