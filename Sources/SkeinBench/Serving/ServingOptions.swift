// What a user may say about a load, in small types.
public import NIOSSL
public import SkeinCore

/// The server that is measured, and how to speak to it.
public struct ServingTarget: Sendable {
    /// The two forms of OpenAI's interface.
    public enum Interface: String, Sendable, CaseIterable {
        /// `/v1/completions`: a text or token ids are gone on with.
        case text = "openai"
        /// `/v1/chat/completions`: a user's message is answered.
        case chat = "openai-chat"

        /// The path where it usually lies.
        public var endpoint: String {
            self == .text ? "/v1/completions" : "/v1/chat/completions"
        }
    }

    /// Scheme, host, port and what a proxy adds, without `/v1` and without a slash at the end.
    public var baseURL: String
    /// The form of requests and answers.
    public var interface: Interface
    /// The path that requests go to.
    public var endpoint: String
    /// The model's name; `nil` takes the first that the server lists.
    public var model: String?
    /// The key that says who asks.
    public var apiKey: String?
    /// Which certificates are trusted where the address begins with `https`.
    public var security = TLSConfiguration.makeClientConfiguration()
    /// Further header fields.
    public var headers: [(name: String, value: String)] = []
    /// Fields of every request beside model, prompt and length.
    public var fields: [String: JSONValue] = [:]
    /// How long one request may take from being sent.
    public var timeout: Duration = .seconds(600)
    /// How often a request is sent again where the server asks for it.
    public var retryCountMax = 0

    /// Describes a server.
    public init(baseURL: String, interface: Interface, endpoint: String? = nil) {
        self.baseURL = baseURL
        self.interface = interface
        self.endpoint = endpoint ?? interface.endpoint
    }
}

/// Where prompts come from.
public enum PromptOrigin: Sendable, Equatable {
    /// Lengths of random prompts and of their answers, in tokens.
    public struct RandomLengths: Sendable, Equatable {
        /// Tokens of a prompt, without the prefix.
        public var inputTokenCount = 1_024
        /// Whether a user has said how long prompts are: a shorter context then is an error, where
        /// the usual length gives way to it.
        public var isInputChosen = false
        /// Tokens of an answer.
        public var outputTokenCount = 128
        /// Lengths are drawn from `1 - ratio` to `1 + ratio` times those above.
        public var rangeRatio = 0.0
        /// Tokens before each prompt that are the same in all of them.
        public var prefixTokenCount = 0

        /// The lengths that the field's tools take where nothing is said.
        public init() {}
    }

    /// Random tokens, or random words where the server does not tell its vocabulary.
    case random(RandomLengths)
    /// Conversations, whose answers have the length of those in the file where none is given.
    case shareGPT(path: String, outputTokenCount: Int?)
    /// Prompts, whose answers have this length where a row names no other.
    case lines(path: String, outputTokenCount: Int)

    /// Shortens prompts of the usual length where the model's context has no room for them and
    /// their answers.
    ///
    /// - Returns: what was done, in one line for the report; `nil` where nothing was.
    mutating func fit(positions: Int?) -> String? {
        guard case .random(var lengths) = self, !lengths.isInputChosen, let positions else {
            return nil
        }
        let usual = lengths.inputTokenCount
        let longest = Double(positions - lengths.prefixTokenCount) / (1 + lengths.rangeRatio)
        let room = Int(longest) - lengths.outputTokenCount - 1
        guard room < usual, room > 0 else { return nil }
        lengths.inputTokenCount = room
        self = .random(lengths)
        return "prompts have \(room) tokens in place of \(usual), since the model's context has "
            + "\(positions); --random-input-len sets their length"
    }

    /// Its name on the command line.
    var name: String {
        switch self {
        case .random: "random"
        case .shareGPT: "sharegpt"
        case .lines: "custom"
        }
    }
}

/// The rates that a sweep measures.
public enum SweepRates: Sendable, Equatable {
    /// These, in their order.
    case listed([Double])
    /// Those that a search for the saturation point asks for.
    case automatic
}

/// Everything about one measurement.
public struct ServingOptions: Sendable {
    /// The server.
    public var target: ServingTarget
    /// The prompts.
    public var origin: PromptOrigin
    /// When requests come.
    public var shape: LoadShape
    /// Requests before the measurement that are not counted.
    public var warmupCount = 1
    /// Requests that are measured alone before the load; 0 leaves that out.
    public var singleStreamCount = 3
    /// What makes an answer a good one.
    public var serviceLevel: ServiceLevel?
    /// Several rates one after another instead of one load.
    public var sweep: SweepRates?
    /// How long requests come at each rate of a sweep.
    public var sweepPointDuration: Duration = .seconds(30)
    /// Percentiles to report.
    public var percentiles: [Double] = [50, 90, 95, 99]
    /// The program that measures and its version, for the report.
    public var tool = "skein"
    /// The command line, for the report; without keys and the values of header fields.
    public var commandLine: String?
    /// Latencies to report: `ttft`, `tpot`, `itl` and `e2el`.
    public var metrics: [String] = ServingOptions.allMetrics

    /// Every latency that can be reported.
    public static let allMetrics = ["ttft", "tpot", "itl", "e2el"]

    /// Describes a measurement.
    public init(target: ServingTarget, origin: PromptOrigin, shape: LoadShape) {
        self.target = target
        self.origin = origin
        self.shape = shape
    }
}
