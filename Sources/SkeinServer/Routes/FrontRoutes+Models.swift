internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinText

// What is served, and its tokens.
extension FrontRoutes {
    /// Every path, for people.
    func overview(for asking: Route.Asking) async -> Response {
        let version = await service.coordinator.status().softwareVersion
        let width = Route.all.map(\.path.count).max() ?? 0
        let lines = Route.all.map { route in
            let path = route.path.replacing("*", with: "NAME")
            let gap = String(repeating: " ", count: width + 6 - path.count)
            return "\(route.method == .get ? "GET " : "POST") \(path)\(gap)\(route.summary)"
        }
        let names = service.modelNames.joined(separator: ", ")
        let text =
            "Skein \(version) serves \(names) in the words of OpenAI's interface.\n\n"
            + lines.joined(separator: "\n") + "\n"
        return Response(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    /// The program's version; the name is vLLM's.
    func version() async -> Response {
        let version = await service.coordinator.status().softwareVersion
        return Self.response(.fields(["version": .string(version)]))
    }

    /// The model under each of its names.
    var modelList: JSONValue {
        .fields([
            "object": .string("list"), "data": .array(service.modelNames.map { modelCard($0) }),
        ])
    }

    /// The model under a name as it stands in a path.
    func modelCard(named text: String) throws(APIError) -> JSONValue {
        guard let name = text.removingPercentEncoding, service.modelNames.contains(name) else {
            throw .notFound(
                "model", "there is no such model; this server has \(service.namesText)",
                code: "model_not_found")
        }
        return modelCard(name)
    }

    private func modelCard(_ name: String) -> JSONValue {
        .fields([
            "id": .string(name), "object": .string("model"), "created": .count(service.created),
            "owned_by": .string("skein"), "root": .string(service.modelName),
            "max_model_len": .count(service.positionCountMax),
            "vocab_size": .count(service.vocabularySize),
        ])
    }

    /// Text or a conversation to tokens.
    func tokenize(_ fields: RequestFields) throws(APIError) -> JSONValue {
        let tokens: [TokenID]
        if fields.value("messages") != nil {
            let conversation = try CompletionCall.conversation(
                fields, ToolChoice(fields), service: service)
            tokens = try service.setup(for: "messages").tokenizer.encode(
                conversation.prompt.segments)
        } else {
            guard let text = try fields.text("prompt") else {
                throw .invalid("prompt", "prompt: is missing, expected a text")
            }
            let setup = try service.setup(for: "prompt")
            let isWhole = try fields.flag("add_special_tokens") ?? true
            // A text that is nothing but the mark of a special token asks for that token.
            let mark = isWhole ? nil : setup.tokenizer.addedToken(text)
            tokens =
                isWhole
                ? setup.completionPrompt(text)
                : mark.map { [$0] } ?? setup.tokenizer.encode(text, matchingAddedTokens: false)
        }
        return .fields([
            "count": .count(tokens.count), "max_model_len": .count(service.positionCountMax),
            "tokens": .tokens(tokens),
        ])
    }

    /// Tokens to text.
    func detokenize(_ fields: RequestFields) throws(APIError) -> JSONValue {
        let setup = try service.setup(for: "tokens")
        guard
            let tokens = try fields.tokens(
                "tokens", countMax: Limits.positionsMax, vocabularySize: service.vocabularySize)
        else { throw .invalid("tokens", "tokens: is missing, expected a list of token ids") }
        return .fields([
            "prompt": .string(setup.tokenizer.decode(tokens, skippingSpecialTokens: false))
        ])
    }
}
