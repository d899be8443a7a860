extension ChatFormat {
    /// How a model comes to think before it answers.
    public enum Thinking: Sendable {
        /// Never: its marks would be text.
        case never

        /// Always: it writes the opening mark itself.
        case byItself

        /// Always: the prompt opens the thinking.
        case byPrompt

        /// As a request asks: the prompt opens the thinking, or closes it.
        case byRequest

        /// Whether it thinks whatever a request asks.
        public var isCertain: Bool { self == .byItself || self == .byPrompt }
    }

    /// How a model of this format comes to think.
    public var thinking: Thinking { traits.thinking }

    /// Whether the prompt says how much to think.
    public var knowsEfforts: Bool { traits.knowsEfforts }

    /// Whether a request may ask for the thinking of all earlier turns.
    public var canKeepReasoning: Bool { traits.canKeepReasoning }

    /// The id of a call, where the format has ids that count the calls of a conversation from 0;
    /// models find their calls by it.
    public func callID(of name: String, number: Int) -> String? {
        traits.callForm?.numbersCalls == true ? "functions.\(name):\(number)" : nil
    }

    /// What tells the chat formats apart, apart from how they write a conversation.
    struct Traits: Sendable {
        /// The `model_type` of the families that write so, where nothing else tells the format.
        var modelTypes: [String] = []

        /// How the model comes to think.
        var thinking = Thinking.never

        /// Whether the prompt says how much to think.
        var knowsEfforts = false

        /// Whether a request may ask for the thinking of all earlier turns.
        var canKeepReasoning = false

        /// The control marks without which a tokenizer cannot serve the format.
        var neededMarks: [String]

        /// The control marks with which a turn of the model ends.
        var endMarks: [String]

        /// The control marks between turns and results.
        ///
        /// They are never a part of an answer, though many tokenizers do not count them among the
        /// special tokens.
        var turnMarks: [String]

        /// How calls of tools are written; `nil` where there are none.
        var callForm: ToolCallForm?
    }

    /// The row of this format.
    var traits: Traits {
        switch self {
        case .deepSeekV2:
            Traits(
                modelTypes: ["deepseek", "deepseek_v2"],
                neededMarks: [ChatMark.begin, ChatMark.end], endMarks: [ChatMark.end],
                turnMarks: [ChatMark.begin, ChatMark.end])
        case .deepSeekV3: Self.deepSeek(.never, .fenced, modelTypes: ["deepseek_v3"])
        case .deepSeekR1: Self.deepSeek(.byPrompt, .fenced)
        case .deepSeekR1May: Self.deepSeek(.byItself, .fenced)
        case .deepSeekV31: Self.deepSeek(.byRequest, .plain)
        case .deepSeekV32: Self.deepSeek(.byRequest, .dsml, modelTypes: ["deepseek_v32"])
        case .kimiK2: Self.kimi(.never, modelTypes: ["kimi_k2"])
        case .kimiK2Thinking: Self.kimi(.byItself)
        case .kimiK25: Self.kimi(.byRequest, modelTypes: ["kimi_k25"])
        case .glm47Flash: Self.glm(modelTypes: ["glm4_moe_lite"])
        case .glm5: Self.glm(modelTypes: ["glm_moe_dsa"])
        case .glm52: Self.glm(knowsEfforts: true)
        case .mistralLarge3:
            Traits(
                modelTypes: ["mistral_large_3"],
                neededMarks: ["<s>", "</s>", "[INST]", "[/INST]"], endMarks: ["</s>"],
                turnMarks: [
                    "<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
                    "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]",
                ],
                callForm: .named)
        }
    }

    /// Kimi's formats have the same marks for turns.
    private static func kimi(_ thinking: Thinking, modelTypes: [String] = []) -> Traits {
        Traits(
            modelTypes: modelTypes, thinking: thinking, canKeepReasoning: thinking != .never,
            neededMarks: ["<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_end|>"],
            endMarks: ["<|im_end|>"],
            turnMarks: [
                "<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>",
            ],
            callForm: .kimi)
    }

    /// GLM's formats have the same marks for turns.
    private static func glm(modelTypes: [String] = [], knowsEfforts: Bool = false) -> Traits {
        Traits(
            modelTypes: modelTypes, thinking: .byRequest, knowsEfforts: knowsEfforts,
            canKeepReasoning: true,
            neededMarks: ["[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|observation|>"],
            endMarks: ["<|endoftext|>", "<|user|>", "<|observation|>"],
            turnMarks: [
                "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>",
                "<|endoftext|>",
            ],
            callForm: .keyed)
    }

    /// DeepSeek's formats since V3 have the same marks for turns.
    private static func deepSeek(
        _ thinking: Thinking, _ callForm: ToolCallForm, modelTypes: [String] = []
    ) -> Traits {
        let turns = [ChatMark.begin, ChatMark.end, ChatMark.user, ChatMark.assistant]
        let thinks = thinking == .never ? [] : [ChatMark.think, ChatMark.thinkEnd]
        return Traits(
            modelTypes: modelTypes, thinking: thinking, neededMarks: turns + thinks,
            endMarks: [ChatMark.end],
            turnMarks: turns + [
                ChatMark.outputsBegin, ChatMark.outputsEnd, ChatMark.outputBegin,
                ChatMark.outputEnd,
            ],
            callForm: callForm)
    }
}
