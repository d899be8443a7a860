import Foundation
import SkeinCore
import SkeinRollout

/// Draws on a server, over its HTTP interface.
///
/// A head that is started again while it draws is waited for: each request has a key, under which
/// it goes on where it was.
struct ServedSource: CompletionSource {
    let client: HeadClient
    let settings: DrawSettings
    let isThinking: Bool

    /// How long a server may be away.
    private static let patience: Duration = .seconds(60)

    /// What the server says of its model, to tell one run from another: the fingerprint of a head
    /// of this program, else the name of the model.
    func modelMark() async throws(Refusal) -> String {
        let cluster = try await client.ask("/v1/cluster")
        if cluster.status == 200, let mark = cluster.value["head"]?["fingerprint"]?.string {
            return mark
        }
        let models = try await client.ask("/v1/models")
        guard models.status == 200, let name = models.value["data"]?.array?.first?["id"]?.string
        else { throw refusal(models, of: "/v1/models") }
        return name
    }

    func draw(
        _ prompt: (index: Int, value: RolloutPrompt), seed: UInt64, begun: @Sendable () -> Void
    ) async throws -> DrawnCompletion {
        let sampling = settings.sampling
        var body: [JSONValue.Member] = [
            .init("max_tokens", .integer(settings.newTokensMax)),
            .init("temperature", .number(sampling.temperature.description)),
            .init("top_p", .number(sampling.topP.description)),
            .init("top_k", .integer(sampling.topK)),
            .init("min_p", .number(sampling.minP.description)),
            .init("seed", .number(String(seed))),
            .init("ignore_eos", .bool(settings.ignoresEnd)),
            .init("return_token_ids", .bool(true)),
        ]
        if !settings.stop.isEmpty {
            body.append(.init("stop", .array(settings.stop.map { .string($0) })))
        }
        let path: String
        switch prompt.value.form {
        case .text(let text):
            path = "/v1/completions"
            body += [.init("prompt", .string(text)), .init("logprobs", .integer(0))]
        case .conversation(let messages):
            path = "/v1/chat/completions"
            body += [
                .init("messages", .array(messages)), .init("logprobs", .bool(true)),
                .init(
                    "chat_template_kwargs", .object([.init("thinking", .bool(isThinking))])),
            ]
        }
        let answer = try await posted(.object(body), to: path, place: prompt.value.place)
        begun()
        return try drawn(answer, place: prompt.value.place)
    }

    /// Asks until there is an answer, or the server has been away for too long.
    func posted(
        _ body: JSONValue, to path: String, place: String
    ) async throws -> JSONValue {
        var bounds = HeadClient.Bounds()
        bounds.body = (body, UUID().uuidString)
        bounds.secondsMax = Limits.rolloutAnswerSecondsMax
        bounds.bytesMax = Limits.serverAnswerBytesMax
        let clock = ContinuousClock()
        var awaySince: ContinuousClock.Instant?
        while true {
            let problem: Refusal
            switch await attempt(path, bounds, place: place) {
            case .answered(let answer): return answer
            case .refused(let refusal): throw refusal
            case .away(let refusal): problem = refusal
            }
            try Task.checkCancellation()
            let start = awaySince ?? clock.now
            awaySince = start
            guard clock.now - start < Self.patience else { throw problem }
            try await clock.sleep(for: .seconds(1))
        }
    }

    /// What came of asking once.
    private enum Attempt {
        case answered(JSONValue)
        /// Asking again would not help.
        case refused(Refusal)
        case away(Refusal)
    }

    private func attempt(
        _ path: String, _ bounds: HeadClient.Bounds, place: String
    ) async -> Attempt {
        do throws(Refusal) {
            let answer = try await client.ask(path, within: bounds)
            if answer.status == 200 { return .answered(answer.value) }
            let refusal = refusal(answer, of: path, place: place)
            return [429, 502, 503, 504].contains(answer.status) ? .away(refusal) : .refused(refusal)
        } catch {
            return .away(error)
        }
    }

    private func refusal(
        _ answer: HeadClient.Answer, of path: String, place: String? = nil
    ) -> Refusal {
        let message = answer.value["error"]?["message"]?.string
        let subject = place.map { "\($0): \(client.address.text)" } ?? client.address.text
        return Refusal(
            subject,
            "answered \(path) with status \(answer.status)"
                + (message.map { ": \($0.prefix(300))" } ?? ""))
    }

    /// Reads an answer, whose tokens and their log-probabilities must be there.
    private func drawn(_ answer: JSONValue, place: String) throws(Refusal) -> DrawnCompletion {
        let choice = answer["choices"]?.array?.first
        let message = choice?["message"]
        // A message may have thinking only.
        let content = message == nil ? choice?["text"]?.string : message?["content"]?.string ?? ""
        let prompt = answer["prompt_token_ids"] ?? choice?["prompt_token_ids"]
        let logprobs =
            choice?["logprobs"]?["content"]?.array?.map { $0["logprob"]?.double }
            ?? choice?["logprobs"]?["token_logprobs"]?.array?.map(\.double) ?? []
        guard let promptTokens = Self.tokens(prompt), !promptTokens.isEmpty,
            let tokens = Self.tokens(choice?["token_ids"]),
            let content,
            let reason = choice?["finish_reason"]?.string.flatMap(FinishReason.init),
            logprobs.count == tokens.count
        else {
            throw Refusal(
                "\(place): \(client.address.text)",
                "answered without token_ids, prompt_token_ids and a log-probability for each "
                    + "token; is it a Skein server?")
        }
        let cached = answer["usage"]?["prompt_tokens_details"]?["cached_tokens"]?.integer
        return DrawnCompletion(
            promptTokens: promptTokens, tokens: tokens,
            logprobs: logprobs.map { Float($0 ?? 0) }, content: content,
            reasoning: message?["reasoning_content"]?.string ?? "", finishReason: reason,
            sharedRowCount: cached ?? 0)
    }

    private static func tokens(_ list: JSONValue?) -> [TokenID]? {
        guard let list = list?.array else { return nil }
        var tokens: [TokenID] = []
        for value in list {
            guard let number = value.integer, let raw = Int32(exactly: number) else { return nil }
            tokens.append(TokenID(rawValue: raw))
        }
        return tokens
    }
}
