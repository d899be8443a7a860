internal import SkeinCore

// The words of the journal's file; names and meanings never change within a version.
extension JournalRecord {
    /// The record as an object with its `kind` first.
    var json: JSONValue {
        switch self {
        case .opened(let version, let cluster, let fingerprint):
            return Self.object(
                "opened",
                [
                    ("version", .integer(version)), ("cluster", .string(cluster)),
                    ("fingerprint", .string(fingerprint)),
                ])
        case .placed(let epoch): return Self.object("placed", [("epoch", .whole(epoch.rawValue))])
        case .accepted(let request): return Self.object("accepted", request.members)
        case .drawing(let id, let request, let answer, let prompt):
            return Self.object(
                "drawing", of: id,
                [
                    ("request", .string(request)), ("answer", .integer(answer)),
                    ("prompt", .array([.integer(prompt.tokenCount), .whole(prompt.checksum)])),
                ])
        case .began(let id, let count):
            return Self.object("began", of: id, [("cached", .integer(count))])
        case .scored(let id, let first, let scores):
            return Self.object(
                "scored", of: id,
                [
                    ("first", .integer(first)),
                    ("scores", .array(scores.map { .logprobs($0.logprob, $0.topLogprobs) })),
                ])
        case .drawn(let token):
            var members: [(String, JSONValue)] = [
                ("position", .integer(token.position)), ("token", .whole(token.token.rawValue)),
            ]
            if let logprob = token.logprob {
                members.append(("logprobs", .logprobs(logprob, token.topLogprobs)))
            }
            return Self.object("drawn", of: token.sequence, members)
        case .ended(let id, .finished(let reason)):
            return Self.object("ended", of: id, [("reason", .string(reason.rawValue))])
        case .ended(let id, .failed(let refusal)):
            return Self.object(
                "failed", of: id,
                [("subject", .string(refusal.subject)), ("reason", .string(refusal.reason))])
        case .rested(let id): return Self.object("rested", of: id, [])
        case .forgotten(let request):
            return Self.object("forgotten", [("request", .string(request))])
        }
    }

    /// Reads a record; `nil` where it is of another kind, or lacks what its kind has.
    init?(_ json: JSONValue) {
        guard let kind = json["kind"]?.string, let record = Self.read(kind, json) else {
            return nil
        }
        self = record
    }

    private static func read(_ kind: String, _ json: JSONValue) -> JournalRecord? {
        switch kind {
        case "opened":
            guard let version = json["version"]?.integer, let cluster = json["cluster"]?.string,
                let fingerprint = json["fingerprint"]?.string
            else { return nil }
            return .opened(version: version, cluster: cluster, fingerprint: fingerprint)
        case "placed":
            return json["epoch"]?.whole(UInt64.self).map { .placed(Epoch(rawValue: $0)) }
        case "accepted": return ClientRequest(json).map { .accepted($0) }
        case "forgotten": return json["request"]?.string.map { .forgotten(request: $0) }
        default:
            guard let number = json["sequence"]?.whole(UInt64.self) else { return nil }
            return read(kind, of: SequenceID(rawValue: number), json)
        }
    }

    private static func read(
        _ kind: String, of id: SequenceID, _ json: JSONValue
    ) -> JournalRecord? {
        switch kind {
        case "drawing":
            guard let request = json["request"]?.string,
                let answer = json["answer"]?.count(below: Limits.promptsMax * Limits.choicesMax),
                let mark = json["prompt"]?.array, mark.count == 2,
                let count = mark[0].count(below: Limits.positionsMax + 1),
                let checksum = mark[1].whole(UInt32.self)
            else { return nil }
            return .drawing(
                id, request: request, answer: answer,
                prompt: PromptMark(tokenCount: count, checksum: checksum))
        case "began":
            return json["cached"]?.count(below: Limits.positionsMax)
                .map { .began(id, cachedTokenCount: $0) }
        case "scored":
            guard let first = json["first"]?.count(below: Limits.positionsMax),
                let values = json["scores"]?.array
            else { return nil }
            let scores = values.compactMap(\.logprobs)
                .map { TargetScore(logprob: $0.own, topLogprobs: $0.top) }
            return scores.count == values.count ? .scored(id, firstPosition: first, scores) : nil
        case "drawn": return SampledToken(json, sequence: id).map { .drawn($0) }
        case "ended":
            return json["reason"]?.string.flatMap(FinishReason.init(rawValue:))
                .map { .ended(id, .finished($0)) }
        case "failed":
            guard let subject = json["subject"]?.string, let reason = json["reason"]?.string else {
                return nil
            }
            return .ended(id, .failed(Refusal(subject, reason)))
        case "rested": return .rested(id)
        default: return nil
        }
    }

    private static func object(
        _ kind: String, of id: SequenceID? = nil, _ members: [(String, JSONValue)]
    ) -> JSONValue {
        var all = [JSONValue.Member("kind", .string(kind))]
        if let id { all.append(.init("sequence", .whole(id.rawValue))) }
        return .object(all + members.map { JSONValue.Member($0.0, $0.1) })
    }
}

extension ClientRequest {
    fileprivate var members: [(String, JSONValue)] {
        var members: [(String, JSONValue)] = [
            ("request", .string(id)), ("label", .string(label)), ("tenant", .string(tenant)),
            ("path", .string(path)), ("at", .integer(acceptedAt)), ("seed", .whole(seed)),
            ("body", .string(body)),
        ]
        if let idempotencyKey { members.append(("key", .string(idempotencyKey))) }
        return members
    }

    fileprivate init?(_ json: JSONValue) {
        guard let id = json["request"]?.string, let label = json["label"]?.string,
            let tenant = json["tenant"]?.string, let path = json["path"]?.string,
            let acceptedAt = json["at"]?.integer, let seed = json["seed"]?.whole(UInt64.self),
            let body = json["body"]?.string
        else { return nil }
        self.init(
            id: id, label: label, tenant: tenant, idempotencyKey: json["key"]?.string, path: path,
            body: body, acceptedAt: acceptedAt, seed: seed)
    }
}

extension SampledToken {
    fileprivate init?(_ json: JSONValue, sequence: SequenceID) {
        guard let position = json["position"]?.count(below: Limits.positionsMax + 1),
            let token = json["token"]?.whole(Int32.self)
        else { return nil }
        self.init(sequence: sequence, position: position, token: TokenID(rawValue: token))
        guard let written = json["logprobs"] else { return }
        guard let logprobs = written.logprobs else { return nil }
        logprob = logprobs.own
        topLogprobs = logprobs.top
    }
}

extension JSONValue {
    fileprivate static func whole(_ number: some BinaryInteger) -> JSONValue {
        .number(String(number))
    }

    fileprivate func whole<Number: FixedWidthInteger>(_ type: Number.Type) -> Number? {
        if case .number(let spelling) = self { Number(spelling) } else { nil }
    }

    fileprivate func count(below bound: Int) -> Int? {
        integer.flatMap { (0..<bound).contains($0) ? $0 : nil }
    }

    /// `[own, token, logprob, token, logprob…]`, each number as it is read back to the same bits.
    fileprivate static func logprobs(_ own: Float, _ top: [TokenLogprob]) -> JSONValue {
        .array([.bits(own)] + top.flatMap { [.whole($0.token.rawValue), .bits($0.logprob)] })
    }

    fileprivate var logprobs: (own: Float, top: [TokenLogprob])? {
        guard let values = array, values.count % 2 == 1, let own = values[0].bits else {
            return nil
        }
        var top: [TokenLogprob] = []
        for place in stride(from: 1, to: values.count, by: 2) {
            guard let token = values[place].whole(Int32.self), let logprob = values[place + 1].bits
            else { return nil }
            top.append(TokenLogprob(token: TokenID(rawValue: token), logprob: logprob))
        }
        return (own, top)
    }

    /// A number that may be infinite, which JSON has no word for: as a text then.
    private static func bits(_ number: Float) -> JSONValue {
        number.isFinite ? .number(number.description) : .string(number.description)
    }

    private var bits: Float? {
        switch self {
        case .number(let text): Float(text)
        case .string("inf"): .infinity
        case .string("-inf"): -.infinity
        default: nil
        }
    }
}
