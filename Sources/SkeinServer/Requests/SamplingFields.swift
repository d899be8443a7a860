internal import SkeinCore
internal import SkeinText

/// Reads how tokens are to be drawn.
struct SamplingFields {
    private let fields: RequestFields
    private let service: ModelService

    init(_ fields: RequestFields, service: ModelService) {
        self.fields = fields
        self.service = service
    }

    /// The parameters; the model's own advice stands where the request says nothing.
    func parameters() throws(APIError) -> SamplingParameters {
        var parameters = advice
        if let value = try fields.decimal("temperature", in: 0...2) {
            parameters.temperature = value
        }
        if let value = try fields.decimal("top_p", in: 0...1) {
            guard value > 0 else { throw fields.wrong("top_p", expected: "more than 0, at most 1") }
            parameters.topP = value
        }
        // Other servers write -1 for "keep all".
        if let value = try fields.whole("top_k", in: -1...Limits.vocabularyMax) {
            parameters.topK = max(0, value)
        }
        if let value = try fields.decimal("min_p", in: 0...1) { parameters.minP = value }
        if let value = try fields.decimal("presence_penalty", in: -2...2) {
            parameters.presencePenalty = value
        }
        if let value = try fields.decimal("frequency_penalty", in: -2...2) {
            parameters.frequencyPenalty = value
        }
        if let value = try fields.decimal("repetition_penalty", in: 0...100) {
            guard value > 0 else {
                throw fields.wrong("repetition_penalty", expected: "more than 0, at most 100")
            }
            parameters.repetitionPenalty = value
        }
        parameters.logitBias = try logitBias()
        let seed = try fields.whole("seed", in: Int.min...Int.max)
        parameters.seed =
            seed.map { UInt64(bitPattern: Int64($0)) } ?? fields.standingSeed
        return parameters
    }

    /// What the model's makers advise, else OpenAI's temperature of 1.
    private var advice: SamplingParameters {
        let said = service.text?.generationDefaults ?? GenerationDefaults()
        guard said.drawsTokens != false else { return SamplingParameters() }
        var parameters = SamplingParameters()
        parameters.temperature = said.temperature ?? 1
        parameters.topP = said.topP ?? 1
        parameters.topK = said.topK ?? 0
        return parameters
    }

    private func logitBias() throws(APIError) -> [TokenID: Float] {
        let members = try fields.members("logit_bias", countMax: Limits.logitBiasesMax) ?? []
        var biases: [TokenID: Float] = [:]
        for member in members {
            guard let id = Int(member.name), (0..<service.vocabularySize).contains(id) else {
                throw .invalid(
                    "logit_bias",
                    "logit_bias: found '\(member.name.prefix(60))', expected a token id from 0 to "
                        + "\(service.vocabularySize - 1)")
            }
            guard let bias = member.value.double, (-100...100).contains(bias) else {
                throw .invalid(
                    "logit_bias.\(id)",
                    "logit_bias.\(id): found \(member.value.summary), expected a number from -100 "
                        + "to 100")
            }
            biases[TokenID(id)] = Float(bias)
        }
        return biases
    }

    /// Texts that end an answer.
    func stopStrings() throws(APIError) -> [String] {
        guard let value = fields.value("stop") else { return [] }
        var strings: [String] = []
        if let text = value.string {
            strings = [text]
        } else if value.array != nil {
            for element in try fields.elements("stop", countMax: Limits.stopStringsMax) ?? [] {
                guard let text = element.string else {
                    throw .invalid("stop", "stop: found \(element.summary), expected strings")
                }
                strings.append(text)
            }
        } else {
            throw fields.wrong("stop", expected: "a string or a list of strings")
        }
        let bytesMax = Limits.stopStringBytesMax
        guard strings.allSatisfy({ (1...bytesMax).contains($0.utf8.count) }) else {
            throw .invalid("stop", "stop: expected strings of 1 to \(bytesMax) bytes")
        }
        if !strings.isEmpty { _ = try service.setup(for: "stop") }
        return strings
    }

    /// Tokens that end an answer: the model's own, unless ignored, and the request's.
    func stopTokens() throws(APIError) -> Set<TokenID> {
        let asked = try fields.tokens(
            "stop_token_ids", countMax: Limits.endTokensMax, vocabularySize: service.vocabularySize)
        let ignoresEnd = try fields.flag("ignore_eos") ?? false
        return (ignoresEnd ? [] : service.endTokens).union(asked ?? [])
    }
}
