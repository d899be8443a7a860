// Parses a step and its micro-batch.

import CProtobufC
import CSkeinProto
import SkeinCore

extension Step {
    /// Joins a micro-batch with the tensors that came with it.
    init(
        _ microBatch: MicroBatch, _ tensors: [TensorFrame], stageTimes: [Duration],
        _ reader: FieldReader
    ) throws(WireError) {
        guard !tensors.isEmpty else {
            self.init(microBatch: microBatch, stageTimes: stageTimes)
            return
        }
        let (hidden, scales) = try reader.rows(tensors, count: microBatch.rowCount)
        self.init(
            microBatch: microBatch, hidden: hidden, scales: scales, stageTimes: stageTimes)
    }

    /// Stage 0 begins with tokens, every other stage with hidden rows.
    func check(target: StageIndex?, _ reader: FieldReader) throws(WireError) {
        guard let target else { throw reader.error("target_stage_index", "missing") }
        guard (target.rawValue == 0) == (hidden == nil) else {
            throw reader.error(
                "tensor_frames",
                hidden == nil
                    ? "no hidden rows for stage \(target.rawValue)" : "hidden rows for stage 0",
                reason: .wrongFrames)
        }
    }
}

extension MicroBatch {
    init(
        parsing message: Skein__V1__Step, epoch: Epoch, _ reader: FieldReader
    ) throws(WireError) {
        let phase: Phase
        switch message.phase {
        case SKEIN__V1__PHASE__PHASE_PREFILL: phase = .prefill
        case SKEIN__V1__PHASE__PHASE_DECODE: phase = .decode
        default: throw reader.error("phase", "\(message.phase.rawValue) is no known phase")
        }
        let known: Capture = [.logits, .hidden, .router]
        let capture = Capture(rawValue: message.capture_bits)
        guard known.isSuperset(of: capture) else {
            throw reader.error("capture_bits", "\(message.capture_bits) has unknown bits")
        }
        let pointers = try reader.list(
            message.spans, message.n_spans, in: 1...Limits.microBatchSpansMax, "spans")
        var spans: [SequenceSpan] = []
        var rowCount = 0
        for (place, pointer) in pointers.enumerated() {
            let reader = reader.at("spans", place)
            let span = try SequenceSpan(
                parsing: try reader.part(pointer, ""),
                rowsMax: Limits.microBatchRowsMax - rowCount, reader)
            rowCount += span.tokens.count
            spans.append(span)
        }
        self.init(
            id: MicroBatchID(rawValue: message.micro_batch_id), epoch: epoch, phase: phase,
            spans: spans, capture: capture)
    }
}

extension SequenceSpan {
    fileprivate init(
        parsing message: Skein__V1__SequenceSpan, rowsMax: Int, _ reader: FieldReader
    ) throws(WireError) {
        guard rowsMax > 0 else {
            throw reader.error("", "more than \(Limits.microBatchRowsMax) rows before it")
        }
        let first = try reader.number(
            message.first_position_index, in: 0...(Limits.positionsMax - 1),
            "first_position_index")
        let tokens = try reader.tokens(
            message.token_ids, message.n_token_ids,
            in: 1...min(rowsMax, Limits.positionsMax - first), "token_ids")
        let targets = try reader.tokens(
            message.target_token_ids, message.n_target_token_ids, in: 0...tokens.count,
            "target_token_ids")
        guard targets.isEmpty || targets.count == tokens.count else {
            throw reader.error(
                "target_token_ids",
                "\(targets.count) targets for \(tokens.count) rows, expected one each or none")
        }
        let targetTopLogprobsCount = try reader.number(
            message.target_top_logprobs_count,
            in: 0...(targets.isEmpty ? 0 : Limits.topLogprobsMax),
            "target_top_logprobs_count")
        let neededPages = PageIndex.count(ofRows: first + tokens.count)
        let pages = try Self.pages(
            try reader.part(message.pages, "pages"), reader)
        guard pages.count >= neededPages else {
            throw reader.error(
                "pages",
                "\(pages.count) pages for \(first + tokens.count) positions, expected "
                    + "\(neededPages)")
        }
        self.init(
            sequence: SequenceID(rawValue: message.sequence_id), firstPosition: first,
            tokens: tokens, pageTable: pages,
            demand: try message.demand.map { pointer throws(WireError) in
                try SamplingDemand(parsing: pointer.pointee, reader)
            },
            targets: targets, targetTopLogprobsCount: targetTopLogprobsCount,
            pageCopy: try message.page_copy.map { pointer throws(WireError) in
                try PageCopy(parsing: pointer.pointee, reader)
            },
            label: try reader.text(
                message.request_label, bytesMax: Limits.labelBytesMax, mayBeEmpty: true,
                "request_label"))
        if let fault = pageCopyFault { throw reader.error("page_copy", fault) }
        draftCount = try reader.number(
            message.draft_count, in: 0...Limits.draftsMax, "draft_count")
        draftsWantedCount = try reader.number(
            message.drafts_wanted_count, in: 0...Limits.draftsMax, "drafts_wanted_count")
        isPredicted = message.is_predicted != 0
        if message.known_following_token_case
            == SKEIN__V1__SEQUENCE_SPAN__KNOWN_FOLLOWING_TOKEN_FOLLOWING_TOKEN_ID
        {
            followingToken = try reader.token(message.following_token_id, "following_token_id")
        }
        if let fault = draftFault { throw reader.error("draft_count", fault) }
    }

    private static let pagesMax = Limits.positionsMax / Limits.pageRowCount

    private static func pages(
        _ message: Skein__V1__PageRuns, _ reader: FieldReader
    ) throws(WireError) -> [PageIndex] {
        let firsts = try reader.list(
            message.first_page_indexes, message.n_first_page_indexes, in: 1...pagesMax,
            "pages.first_page_indexes")
        let counts = try reader.list(
            message.page_counts, message.n_page_counts, in: firsts.count...firsts.count,
            "pages.page_counts")
        var total = 0
        for (place, (first, count)) in zip(firsts, counts).enumerated() {
            let count = try reader.number(
                count, in: 1...(pagesMax - total + 1), "pages.page_counts[\(place)]")
            _ = try reader.number(
                first, in: 0...(Int(Int32.max) - count), "pages.first_page_indexes[\(place)]")
            total += count
            guard total <= pagesMax else {
                throw reader.error("pages", "more than \(pagesMax) pages")
            }
        }
        var pages: [PageIndex] = []
        pages.reserveCapacity(total)
        for (first, count) in zip(firsts, counts) {
            for page in Int(first)..<(Int(first) + Int(count)) { pages.append(PageIndex(page)) }
        }
        return pages
    }
}

extension PageCopy {
    fileprivate init(
        parsing message: Skein__V1__PageCopy, _ reader: FieldReader
    ) throws(WireError) {
        let pages = 0...(Int(Int32.max) - 1)
        let source = try reader.number(
            message.source_page_index, in: pages, "page_copy.source_page_index")
        let target = try reader.number(
            message.target_page_index, in: pages, "page_copy.target_page_index")
        let rowCount = try reader.number(
            message.row_count, in: 1...(Limits.pageRowCount - 1), "page_copy.row_count")
        self.init(source: PageIndex(source), target: PageIndex(target), rowCount: rowCount)
    }
}

extension SamplingDemand {
    fileprivate init(
        parsing message: Skein__V1__SamplingDemand, _ reader: FieldReader
    ) throws(WireError) {
        let parameters = try reader.part(message.parameters, "demand.parameters")
        self.init(
            parameters: try SamplingParameters(
                parsing: parameters, reader),
            promptTokens: try reader.tokens(
                message.prompt_token_ids, message.n_prompt_token_ids, in: 0...Limits.positionsMax,
                "demand.prompt_token_ids"),
            completionTokens: try reader.tokens(
                message.completion_token_ids, message.n_completion_token_ids,
                in: 0...Limits.positionsMax, "demand.completion_token_ids"),
            allowed: try message.allowed.map { pointer throws(WireError) in
                try AllowedTokens(parsing: pointer.pointee, reader)
            })
    }
}

extension AllowedTokens {
    fileprivate init(
        parsing message: Skein__V1__AllowedTokens, _ reader: FieldReader
    ) throws(WireError) {
        let size = try reader.number(
            message.vocabulary_count, in: 1...Limits.vocabularyMax,
            "demand.allowed.vocabulary_count")
        let byteCount = message.token_bits.len
        let isList = byteCount == 0
        let steps = try reader.list(
            message.token_steps, message.n_token_steps, in: isList ? 1...size : 0...0,
            "demand.allowed.token_steps")
        guard isList || byteCount == (size + 7) / 8 else {
            throw reader.error(
                "demand.allowed.token_bits",
                "\(byteCount) bytes for \(size) tokens, expected \((size + 7) / 8)")
        }
        if isList {
            self.init(vocabularySize: size, tokens: try Self.tokens(steps, size, reader))
        } else {
            let bytes = UnsafeBufferPointer(start: message.token_bits.data, count: byteCount)
            self.init(vocabularySize: size, bits: try Self.words(bytes, size, reader))
        }
        guard !isEmpty else { throw reader.error("demand.allowed", "allows no token") }
    }

    private static func tokens(
        _ steps: UnsafeBufferPointer<UInt32>, _ size: Int, _ reader: FieldReader
    ) throws(WireError) -> [TokenID] {
        var tokens: [TokenID] = []
        tokens.reserveCapacity(steps.count)
        var token = 0
        for (place, step) in steps.enumerated() {
            token += try reader.number(
                step, in: (place == 0 ? 0 : 1)...size, "demand.allowed.token_steps")
            guard token < size else {
                throw reader.error(
                    "demand.allowed.token_steps", "token \(token) of a vocabulary of \(size)")
            }
            tokens.append(TokenID(token))
        }
        return tokens
    }

    private static func words(
        _ bytes: UnsafeBufferPointer<UInt8>, _ size: Int, _ reader: FieldReader
    ) throws(WireError) -> [UInt64] {
        if let last = bytes.last, size % 8 != 0, last >> UInt8(size % 8) != 0 {
            throw reader.error("demand.allowed.token_bits", "has a bit beyond \(size) tokens")
        }
        var words = noBits(size)
        for (place, byte) in bytes.enumerated() {
            words[place >> 3] |= UInt64(byte) << (UInt64(place & 7) * 8)
        }
        return words
    }
}

extension SamplingParameters {
    fileprivate init(
        parsing message: Skein__V1__SamplingParameters, _ reader: FieldReader
    ) throws(WireError) {
        self.init()
        let all = -Float.greatestFiniteMagnitude...Float.greatestFiniteMagnitude
        let positive = 0...Float.greatestFiniteMagnitude
        temperature = try reader.finite(
            message.temperature, in: positive, "demand.parameters.temperature")
        topK = try reader.number(
            message.top_k_count, in: 0...Limits.vocabularyMax, "demand.parameters.top_k_count")
        topP = try reader.finite(message.top_p, in: 0...1, "demand.parameters.top_p")
        minP = try reader.finite(message.min_p, in: 0...1, "demand.parameters.min_p")
        presencePenalty = try reader.finite(
            message.presence_penalty, in: all, "demand.parameters.presence_penalty")
        frequencyPenalty = try reader.finite(
            message.frequency_penalty, in: all, "demand.parameters.frequency_penalty")
        repetitionPenalty = try reader.finite(
            message.repetition_penalty, in: Float.leastNormalMagnitude...positive.upperBound,
            "demand.parameters.repetition_penalty")
        let tokens = try reader.tokens(
            message.bias_token_ids, message.n_bias_token_ids, in: 0...Limits.logitBiasesMax,
            "demand.parameters.bias_token_ids")
        let values = try reader.list(
            message.bias_values, message.n_bias_values, in: tokens.count...tokens.count,
            "demand.parameters.bias_values")
        for (token, value) in zip(tokens, values) {
            guard logitBias[token] == nil else {
                throw reader.error("demand.parameters.bias_token_ids", "token \(token) twice")
            }
            logitBias[token] = try reader.finite(value, in: all, "demand.parameters.bias_values")
        }
        seed = message.seed
        if message.wanted_top_logprobs_case
            == SKEIN__V1__SAMPLING_PARAMETERS__WANTED_TOP_LOGPROBS_TOP_LOGPROBS_COUNT
        {
            topLogprobsCount = try reader.number(
                message.top_logprobs_count, in: 0...Limits.topLogprobsMax,
                "demand.parameters.top_logprobs_count")
        }
    }
}
