internal import SkeinCore
internal import SkeinText

/// What becomes of a field of a completion request.
///
/// The table holds every field of OpenAI's, vLLM's, SGLang's and llama.cpp's requests that changes
/// an answer, so that none of them is passed over in silence: it is done, or it has the value that
/// changes nothing, or the request is refused with the field's path. Fields that do not change an
/// answer are accepted. Names that stand nowhere in the table are ignored, as vLLM does since its
/// users' clients broke on refusals, and the header `x-ignored-fields` lists them, so that a
/// misspelt name can be found.
struct RequestRule: Sendable {
    /// What is done with a field.
    enum Fate: Sendable {
        /// It is read where it is used, and checked there.
        case done
        /// It changes no answer.
        case accepted
        /// Only these values are accepted, which ask for what is done anyway; the text says why, or
        /// what to use.
        case only([JSONValue], String)
    }

    /// Requests that have the field.
    struct Requests: OptionSet {
        let rawValue: Int
        static let chat = Requests(rawValue: 1)
        static let text = Requests(rawValue: 2)
        static let both: Requests = [.chat, .text]
    }

    let names: [String]
    let requests: Requests
    let fate: Fate
}

extension RequestRule {
    private static let no: [JSONValue] = [.bool(false)]
    private static let yes: [JSONValue] = [.bool(true)]
    private static let none: [JSONValue] = [.array([]), .object([]), .string("")]
    private static let zero: [JSONValue] = [.number("0")]
    private static let one: [JSONValue] = [.number("1")]

    /// Every known field, once for each kind of request.
    static let all: [RequestRule] = done + accepted + forms + drawing + others

    private static let done: [RequestRule] = [
        RequestRule(
            names: [
                "model", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens",
                "temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty",
                "repetition_penalty", "logit_bias", "seed", "stop", "stop_token_ids", "ignore_eos",
                "logprobs", "response_format", "guided_json", "structured_outputs", "json_schema",
                "guided_regex", "guided_choice", "regex",
                "return_token_ids", "skip_special_tokens", "include_stop_str_in_output",
                "no_stop_trim",
            ], requests: .both, fate: .done),
        RequestRule(
            names: [
                "messages", "top_logprobs", "tools", "tool_choice", "parallel_tool_calls",
                "chat_template_kwargs", "enable_thinking", "thinking", "reasoning_effort",
                "add_generation_prompt", "continue_final_message", "thinking_budget",
                "thinking_token_budget", "clear_thinking", "preserve_thinking",
            ], requests: .chat, fate: .done),
        RequestRule(
            names: ["prompt", "echo", "suffix", "best_of", "add_special_tokens"], requests: .text,
            fate: .done),
    ]

    private static let accepted: [RequestRule] = [
        RequestRule(
            names: [
                "user", "metadata", "store", "service_tier", "safety_identifier",
                "prompt_cache_key", "prompt_cache_retention", "prediction", "request_id", "rid",
                "cache_salt", "cache_prompt", "id_slot", "timings_per_token", "keep_alive",
                "guided_decoding_backend", "spaces_between_special_tokens", "data_parallel_rank",
                "return_progress", "custom_llm_provider",
            ], requests: .both, fate: .accepted)
    ]

    /// What an answer must look like.
    private static let forms: [RequestRule] = [
        RequestRule(
            names: [
                "guided_grammar", "guided_whitespace_pattern", "ebnf", "grammar", "structural_tag",
                "format",
            ], requests: .both,
            fate: .only(
                none,
                "answers are held to a JSON schema, a regex or a choice only; see "
                    + "structured_outputs")),
        RequestRule(
            names: ["functions"], requests: .chat, fate: .only(none, "use tools in its place")),
        RequestRule(
            names: ["function_call"], requests: .chat,
            fate: .only([.string("none")], "use tool_choice in its place")),
        RequestRule(
            names: ["modalities"], requests: .chat,
            fate: .only([.array([.string("text")])], "this server gives text only")),
        RequestRule(
            names: ["audio", "web_search_options", "documents", "mm_processor_kwargs"],
            requests: .chat, fate: .only(none, "this server gives text only")),
        RequestRule(
            names: ["verbosity"], requests: .chat,
            fate: .only([.string("medium")], "the model knows no such wish; say it in a message")),
        RequestRule(
            names: ["reasoning", "max_thinking_tokens"], requests: .chat,
            fate: .only(none, "see chat_template_kwargs.thinking and thinking_budget")),
        RequestRule(
            names: ["include_reasoning", "separate_reasoning", "stream_reasoning"],
            requests: .chat, fate: .only(yes, "thinking comes apart, as reasoning_content")),
        RequestRule(
            names: ["chat_template"], requests: .chat,
            fate: .only(none, "conversations are written in the model's own format")),
        RequestRule(
            names: ["echo", "add_special_tokens"], requests: .chat,
            fate: .only(no, "the model's chat format says what stands in the prompt")),
    ]

    /// How tokens are drawn, and when an answer ends.
    private static let drawing: [RequestRule] = [
        RequestRule(
            names: ["min_tokens", "min_new_tokens"], requests: .both,
            fate: .only(zero, "an answer ends where the model ends it; see ignore_eos")),
        RequestRule(
            names: [
                "bad_words", "allowed_token_ids", "logits_processors", "custom_logit_processor",
            ],
            requests: .both, fate: .only(none, "see logit_bias")),
        RequestRule(
            names: ["use_beam_search", "early_stopping"], requests: .both,
            fate: .only(no, "this server draws token by token")),
        RequestRule(
            names: ["length_penalty", "typical_p", "tfs", "tfs_z", "repeat_penalty", "epsilon_p"],
            requests: .both, fate: .only(one, "see repetition_penalty, top_p, top_k and min_p")),
        RequestRule(
            names: [
                "mirostat", "mirostat_mode", "top_a", "dynatemp_range", "smoothing_factor",
                "xtc_probability", "dry_multiplier", "top_n_sigma", "eta_cutoff", "epsilon_cutoff",
                "no_repeat_ngram_size", "n_keep", "n_probs",
            ], requests: .both,
            fate: .only(zero, "see repetition_penalty, top_p, top_k and min_p")),
        RequestRule(
            names: ["samplers", "repetition_detection", "stop_regex", "stop_sequences", "options"],
            requests: .both, fate: .only(none, "see stop and the fields of OpenAI's requests")),
        RequestRule(
            names: ["max_new_tokens", "max_length", "n_predict", "num_predict"], requests: .both,
            fate: .only(none, "see max_tokens")),
        RequestRule(
            names: ["detokenize"], requests: .both,
            fate: .only(yes, "text always comes; see return_token_ids")),
    ]

    /// What comes beside an answer, and what runs it.
    private static let others: [RequestRule] = [
        RequestRule(
            names: ["prompt_logprobs", "logprob_token_ids", "truncate_prompt_tokens"],
            requests: .both,
            fate: .only(none, "see echo and logprobs of /v1/completions")),
        RequestRule(
            names: ["return_tokens_as_token_ids", "return_hidden_states"], requests: .both,
            fate: .only(no, "see return_token_ids")),
        RequestRule(
            names: ["priority"], requests: .both,
            fate: .only(zero, "requests are served in the order in which they come")),
        RequestRule(
            names: [
                "lora_path", "lora_request", "kv_transfer_params", "vllm_xargs", "extra_args",
                "prompt_embeds", "input_ids", "input_embeds",
            ], requests: .both, fate: .only(none, "this server has no such part")),
    ]

    private static func rule(_ name: String, _ requests: Requests) -> RequestRule? {
        all.first { $0.requests.contains(requests) && $0.names.contains(name) }
    }

    /// Refuses what is neither done nor without effect.
    ///
    /// - Returns: names that the table does not know.
    static func check(
        _ fields: RequestFields, of requests: Requests
    ) throws(APIError) -> [String] {
        var unknown: [String] = []
        for name in fields.names {
            guard let value = fields.value(name) else { continue }
            guard let rule = rule(name, requests) else {
                let other: Requests = requests == .chat ? .text : .chat
                guard case .done = Self.rule(name, other)?.fate else {
                    unknown.append(name)
                    continue
                }
                let path = requests == .chat ? "/v1/completions" : "/v1/chat/completions"
                throw .invalid(
                    fields.param(name), "\(fields.param(name)): is a field of \(path) only")
            }
            if case .only(let values, let advice) = rule.fate,
                !values.contains(where: { $0.means(value) })
            {
                throw .invalid(
                    fields.param(name),
                    "\(fields.param(name)): found \(value.summary), which this server does not do; "
                        + advice)
            }
        }
        return unknown
    }
}

extension JSONValue {
    /// Whether two values are the same, however their numbers are spelt.
    fileprivate func means(_ other: JSONValue) -> Bool {
        if let left = double, let right = other.double { return left == right }
        return self == other
    }
}
