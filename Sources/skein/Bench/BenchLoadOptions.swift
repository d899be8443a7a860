import ArgumentParser
import SkeinBench
import SkeinCore

/// When requests come, and how many.
struct BenchLoadOptions: ParsableArguments {
    @Option(name: .customLong("num-prompts"), help: "Requests of the load.")
    var numPrompts: Int?

    @Option(help: "Seconds for which requests come, instead of a number of them.")
    var duration: Double?

    @Option(
        name: .customLong("request-rate"),
        help: "Requests a second on average, or inf for all at once.")
    var requestRate: String?

    @Option(help: "Shape of the gaps between requests: 1 is Poisson, less is burstier.")
    var burstiness = 1.0

    @Option(name: .customLong("max-concurrency"), help: "Requests that run at once at most.")
    var maxConcurrency: Int?

    @Option(help: "Seed of arrivals and prompts.")
    var seed: UInt64 = 0

    @Option(
        name: [.customLong("warmup"), .customLong("num-warmups")],
        help: "Requests before the load that are not counted.")
    var warmup = 1

    @Option(
        name: .customLong("single-stream-requests"),
        help: "Requests that are measured alone before the load.")
    var singleStreamRequests = 3

    @Flag(name: .customLong("no-single-stream"), help: "Measure no requests alone.")
    var noSingleStream = false

    @Option(
        parsing: .upToNextOption,
        help: "What makes a good answer, in ms: ttft:500 tpot:50 e2el:5000.")
    var goodput: [String] = []

    @Flag(help: "Search the highest rate that the server keeps up with.")
    var sweep = false

    @Option(name: .customLong("sweep-rates"), help: "Measure these rates: 1,2,4.")
    var sweepRates: String?

    @Option(
        name: .customLong("sweep-duration"),
        help: "Seconds for which requests come at each rate of a sweep.")
    var sweepDuration = 30.0

    /// Whether rates are measured one after another.
    var wantsSweep: Bool { sweep || sweepRates != nil }

    /// Requests of a load of which nothing else is said.
    private static let requestsDefault = 100

    func validate() throws {
        try check(
            numPrompts.map { (1...Limits.loadRequestsMax).contains($0) }, "--num-prompts",
            "1 to \(Limits.loadRequestsMax)")
        try check(seed <= UInt64(Int.max), "--seed", "0 to \(Int.max)")
        try check(duration.map { $0 > 0 && $0 <= 86_400 }, "--duration", "above 0, at most 86400")
        try check(numPrompts == nil || duration == nil, "--duration", "not with --num-prompts")
        try check(burstiness > 0 && burstiness <= 1_000, "--burstiness", "above 0, at most 1000")
        try check(
            maxConcurrency.map { (1...Limits.loadConnectionsMax).contains($0) },
            "--max-concurrency", "1 to \(Limits.loadConnectionsMax)")
        try check((0...100_000).contains(warmup), "--warmup", "0 to 100000")
        try check(
            (0...100_000).contains(singleStreamRequests), "--single-stream-requests",
            "0 to 100000")
        try check(
            sweepDuration > 0 && sweepDuration <= 86_400, "--sweep-duration",
            "above 0, at most 86400")
        try check(!(sweep && sweepRates != nil), "--sweep", "not with --sweep-rates")
    }

    private func check(_ isFine: Bool?, _ name: String, _ expected: String) throws {
        if isFine == false { throw ValidationError("\(name): expected \(expected)") }
    }

    /// When requests come.
    func shape() throws(Refusal) -> LoadShape {
        LoadShape(
            requestRate: try rate(), burstiness: burstiness, concurrencyMax: maxConcurrency,
            end: duration.map { .duration(.seconds($0)) }
                ?? .requestCount(numPrompts ?? Self.requestsDefault), seed: seed)
    }

    private func rate() throws(Refusal) -> Double? {
        guard let requestRate, requestRate.lowercased() != "inf" else {
            guard duration == nil || maxConcurrency != nil || wantsSweep else {
                throw Refusal(
                    "--duration",
                    "needs --request-rate or --max-concurrency: all requests at once "
                        + "take no time to come")
            }
            return nil
        }
        return try Self.rate(requestRate, "--request-rate")
    }

    private static func rate(_ word: some StringProtocol, _ flag: String) throws(Refusal) -> Double
    {
        guard let rate = Double(word), rate > 0, rate <= 100_000 else {
            throw Refusal(flag, "found '\(word)', expected requests a second above 0")
        }
        return rate
    }

    /// The rates of a sweep, or that they are to be searched.
    func sweepRatesOrSearch() throws(Refusal) -> SweepRates? {
        guard let sweepRates else { return sweep ? .automatic : nil }
        var rates: [Double] = []
        for word in sweepRates.split(separator: ",") {
            rates.append(try Self.rate(word, "--sweep-rates"))
        }
        guard !rates.isEmpty, rates.count <= 100 else {
            throw Refusal("--sweep-rates", "expected 1 to 100 rates, separated by commas")
        }
        return .listed(rates)
    }
}

/// Where prompts come from.
struct BenchPromptOptions: ParsableArguments {
    enum Dataset: String, ExpressibleByArgument { case random, sharegpt, custom }

    @Option(name: .customLong("dataset-name"), help: "random, sharegpt or custom.")
    var dataset: Dataset = .random

    @Option(
        name: .customLong("dataset-path"),
        help: "The file of prompts: a JSON list, or one JSON object a line.")
    var path: String?

    @Option(
        name: .customLong("random-input-len"),
        help: "Tokens of a random prompt (default: 1024, or what the model's context leaves).")
    var inputLength: Int?

    @Option(name: .customLong("random-output-len"), help: "Tokens of an answer to it.")
    var outputLength = PromptOrigin.RandomLengths().outputTokenCount

    @Option(
        name: .customLong("random-range-ratio"),
        help: "Draw lengths from 1 - R to 1 + R times those; 0 to 1.")
    var rangeRatio = 0.0

    @Option(
        name: .customLong("random-prefix-len"),
        help: "Tokens before every random prompt that all have in common.")
    var prefixLength = 0

    @Option(
        name: .customLong("sharegpt-output-len"),
        help: "Tokens of an answer (default: as many as the file's answer has).")
    var shareGPTOutputLength: Int?

    @Option(
        name: .customLong("custom-output-len"),
        help: "Tokens of an answer where a line names none.")
    var customOutputLength = 256

    func validate() throws {
        let lengths = [
            ("--random-input-len", inputLength ?? 1), ("--random-output-len", outputLength),
            ("--random-prefix-len", prefixLength + 1), ("--custom-output-len", customOutputLength),
            ("--sharegpt-output-len", shareGPTOutputLength ?? 1),
        ]
        for (name, length) in lengths where !(1...Limits.positionsMax).contains(length) {
            throw ValidationError("\(name): expected a number of tokens, at least 1")
        }
        guard (0...1).contains(rangeRatio) else {
            throw ValidationError("--random-range-ratio: expected 0 to 1, found \(rangeRatio)")
        }
        guard (dataset == .random) == (path == nil) else {
            throw ValidationError(
                "--dataset-path: expected with --dataset-name sharegpt or custom, and only there")
        }
    }

    /// Where prompts come from.
    func origin() throws(Refusal) -> PromptOrigin {
        switch dataset {
        case .random:
            var lengths = PromptOrigin.RandomLengths()
            lengths.inputTokenCount = inputLength ?? lengths.inputTokenCount
            lengths.isInputChosen = inputLength != nil
            lengths.outputTokenCount = outputLength
            lengths.rangeRatio = rangeRatio
            lengths.prefixTokenCount = prefixLength
            return .random(lengths)
        case .sharegpt:
            return .shareGPT(path: path ?? "", outputTokenCount: shareGPTOutputLength)
        case .custom:
            return .lines(path: path ?? "", outputTokenCount: customOutputLength)
        }
    }
}
