import Foundation
import Logging
import SkeinCoordinator
import SkeinCore
import SkeinMembership
import SkeinTelemetry
import SkeinTransport

@testable import SkeinServer
@testable import SkeinText

extension FuzzTarget {
    /// A page of metrics, as `skein plan --compare` asks a head for it.
    static func readMetrics(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        let page = PrometheusSamples(parsing: text)
        let lineCount = text.split(whereSeparator: \.isNewline).count
        try BrokenPromise.unless(
            page.samples.values.reduce(0) { $0 + $1.count } <= lineCount,
            "more samples than lines")
        for name in page.samples.keys {
            try BrokenPromise.unless(page.sum(name) != nil, "a name without a sample")
        }
    }

    /// The body of a request: a byte for the path and the chat format, and the body.
    static func readCompletion(_ bytes: [UInt8]) throws {
        let choice = Int(bytes.first ?? 0)
        let service = services[choice / 4 % services.count]
        let fields = try RequestFields(body: Array(bytes.dropFirst()))
        var call: CompletionCall
        switch choice % 4 {
        case 0: call = try CompletionCall(chat: fields, service: service)
        case 1: call = try CompletionCall(text: fields, service: service)
        case 2:
            _ = try CompletionCall.conversation(fields, ToolChoice(fields), service: service)
            return
        default:
            let tokens = try fields.tokens(
                "tokens", countMax: Limits.positionsMax, vocabularySize: service.vocabularySize)
            _ = SmallModel.tokenizer.decode(tokens ?? [], skippingSpecialTokens: false)
            return
        }
        call.bound(newTokensMax: 64)
        for prompt in call.prompts.indices {
            let request = call.request(
                prompt: prompt, choice: call.choiceCount - 1,
                positionCountMax: service.positionCountMax)
            try BrokenPromise.unless(
                request.newTokensMax >= 0
                    && request.promptTokens.count + request.newTokensMax
                        <= service.positionCountMax,
                "\(request.promptTokens.count) and \(request.newTokensMax) tokens do not fit")
        }
    }

    /// The file of API keys, and a header with one of them.
    static func readKeys(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        let keys = try APIKeys(text: text, file: "keys")
        let first = text.split(whereSeparator: \.isNewline).map {
            $0.trimmingCharacters(in: .whitespaces)
        }.first { !$0.isEmpty && !$0.hasPrefix("#") }
        guard let first else { throw BrokenPromise(description: "a file without keys is taken") }
        try BrokenPromise.unless(
            keys.admit(authorization: "Bearer \(first)") != nil, "\(first) opens nothing")
        try BrokenPromise.unless(
            keys.admit(authorization: "Bearer \(first)x\(text.count)") == nil, "any key opens")
    }

    /// A service in each chat format, and one without text; none of them runs.
    private static let services: [ModelService] = {
        do {
            let configuration = try ModelConfiguration(json: Array(configuration.utf8))
            let coordinator = try coordinator(configuration)
            let setups: [TextSetup?] = ChatFormat.allCases.map { setup($0) } + [nil]
            return setups.map {
                ModelService(
                    modelName: "m", coordinator: coordinator, text: $0,
                    configuration: configuration, positionCountMax: 1_024)
            }
        } catch {
            fatalError("the small service is refused: \(error)")
        }
    }()

    private static func setup(_ format: ChatFormat) -> TextSetup {
        TextSetup(
            tokenizer: SmallModel.tokenizer,
            chatFormat: .init(format: format, source: "test", isNamed: true), chatRemark: nil,
            beginToken: nil,
            endTokens: [SmallModel.end], generationDefaults: .init(), turnTokens: [])
    }

    private static func coordinator(
        _ configuration: ModelConfiguration
    ) throws -> Coordinator {
        let settings = CoordinatorSettings(
            clusterName: "fuzz", configuration: configuration, fingerprint: "f00d",
            placement: try SkeinMembership.Placement(
                kind: .linear, nodes: [NodeShare(name: "a")],
                layerCount: configuration.layerCount),
            serving: ServingSettings(positionCount: 1_024, pageCount: 64), softwareVersion: "test")
        return Coordinator(
            settings: settings, inbox: InProcessInbox(name: "coordinator"), links: NoLinks(),
            logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() })
    }

    private static let configuration = """
        {"model_type": "deepseek_v3", "vocab_size": 400, "hidden_size": 64,
         "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
         "max_position_embeddings": 1024}
        """
}

/// Links of a coordinator that never runs.
private struct NoLinks: LinkOpening {
    func open(to address: String, publicKey: String?) throws(Refusal) -> any Link {
        throw Refusal(address, "nobody listens")
    }
}
