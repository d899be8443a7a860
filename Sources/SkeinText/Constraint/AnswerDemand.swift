public import SkeinCore

/// What a client wants an answer to be.
public struct AnswerDemand: Sendable {
    /// What the text of an answer must be.
    public enum Content: Equatable, Sendable {
        /// Any JSON object.
        case object
        /// A JSON value that fulfils a schema; the path is how refusals name the schema.
        case schema(JSONValue, path: String)
        /// A text that a regular expression describes from its beginning to its end.
        case pattern(String, path: String)
        /// One of several texts.
        case choice([String], path: String)
    }

    /// Which functions an answer must call.
    public struct Calls: Equatable, Sendable {
        /// The functions to choose from, with the paths by which refusals name their parameters.
        public var tools: [(tool: ChatTool, path: String)]

        /// Calls in one answer at most.
        public var countMax: Int

        /// Lets an answer call any of the functions.
        public init(tools: [(tool: ChatTool, path: String)], countMax: Int) {
            self.tools = tools
            self.countMax = countMax
        }

        /// Whether both want the same.
        public static func == (left: Calls, right: Calls) -> Bool {
            left.countMax == right.countMax && left.tools.count == right.tools.count
                && zip(left.tools, right.tools).allSatisfy {
                    $0.tool == $1.tool && $0.path == $1.path
                }
        }
    }

    /// What may stand before the answer.
    public enum Reasoning: Equatable, Sendable {
        /// Nothing.
        case absent
        /// The prompt has opened the thinking; the answer begins after its end.
        case open
        /// The model may open it.
        case optional
    }

    /// What the text must be; `nil` where only calls will do, or where nothing is demanded but an
    /// end of the thinking.
    public var content: Content?

    /// The calls that are wanted; beside a content, either will do.
    public var calls: Calls?

    /// The chat format in which calls are written.
    public var format: ChatFormat?

    /// What may stand before the answer.
    public var reasoning: Reasoning

    /// Tokens of the thinking at most: where they are used up, its end mark is forced.
    public var thinkingTokensMax: Int?

    /// Whether only the thinking has a bound, and the answer may be anything.
    public var isFree: Bool { content == nil && calls == nil }

    /// Describes what is wanted; at least a content or calls, or a bound of the thinking.
    public init(
        content: Content?, calls: Calls? = nil, format: ChatFormat? = nil,
        reasoning: Reasoning = .absent
    ) {
        self.content = content
        self.calls = calls
        self.format = format
        self.reasoning = reasoning
    }

    /// Describes what is wanted of the answer to a prompt.
    public init(content: Content?, calls: Calls?, format: ChatFormat, answering prompt: ChatPrompt)
    {
        self.init(content: content, calls: calls, format: format)
        reasoning =
            switch format.traits.thinking {
            case .never: .absent
            case .byItself where !prompt.opensReasoning: .optional
            case .byItself, .byPrompt, .byRequest: prompt.opensReasoning ? .open : .absent
            }
    }
}

extension AnswerDemand: Equatable {}
