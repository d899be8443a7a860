extension ChatFormat {
    /// What tells the chat formats apart, apart from how they write a conversation.
    struct Traits: Sendable {
        /// How a model comes to think before it answers.
        enum Thinking: Sendable {
            /// Never: its marks would be text.
            case never

            /// As it likes: it writes the opening mark itself.
            case byItself

            /// The prompt opens the thinking, or closes it.
            case byPrompt
        }

        /// How the model comes to think.
        var thinking = Thinking.never

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
                neededMarks: [ChatMark.begin, ChatMark.end], endMarks: [ChatMark.end],
                turnMarks: [ChatMark.begin, ChatMark.end])
        case .deepSeekV3: Self.deepSeek(.never, .fenced)
        case .deepSeekR1: Self.deepSeek(.byPrompt, .fenced)
        case .deepSeekR1May: Self.deepSeek(.byItself, .fenced)
        case .deepSeekV31: Self.deepSeek(.byPrompt, .plain)
        case .deepSeekV32: Self.deepSeek(.byPrompt, .dsml)
        case .kimiK2:
            Traits(
                neededMarks: ["<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_end|>"],
                endMarks: ["<|im_end|>"],
                turnMarks: [
                    "<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>",
                    "<|im_end|>",
                ],
                callForm: .kimi)
        case .glm47Flash:
            Traits(
                thinking: .byPrompt,
                neededMarks: ["[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|observation|>"],
                endMarks: ["<|endoftext|>", "<|user|>", "<|observation|>"],
                turnMarks: [
                    "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>",
                    "<|observation|>", "<|endoftext|>",
                ],
                callForm: .keyed)
        }
    }

    /// DeepSeek's formats since V3 have the same marks for turns.
    private static func deepSeek(
        _ thinking: Traits.Thinking, _ callForm: ToolCallForm
    ) -> Traits {
        let turns = [ChatMark.begin, ChatMark.end, ChatMark.user, ChatMark.assistant]
        let thinks = thinking == .never ? [] : [ChatMark.think, ChatMark.thinkEnd]
        return Traits(
            thinking: thinking, neededMarks: turns + thinks, endMarks: [ChatMark.end],
            turnMarks: turns + [
                ChatMark.outputsBegin, ChatMark.outputsEnd, ChatMark.outputBegin,
                ChatMark.outputEnd,
            ],
            callForm: callForm)
    }
}
