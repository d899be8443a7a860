public import SkeinCore

/// A client's request as it came, by which a head that is started again can go on with it.
public struct ClientRequest: Equatable, Sendable {
    /// The name that the server gave it; no other request ever has it.
    public var id: String

    /// The name by which its client calls it, in logs and headers.
    public var label: String

    /// Who asked, as far as keys tell: nobody else may see it.
    public var tenant: String

    /// By what the client recognises it when it asks again; `nil` where it gave nothing.
    public var idempotencyKey: String?

    /// The path that it came by.
    public var path: String

    /// Its JSON body.
    public var body: String

    /// When it came, in seconds of Unix time.
    public var acceptedAt: Int

    /// The seed of its draws where the body names none.
    public var seed: UInt64

    /// Describes a request.
    public init(
        id: String, label: String, tenant: String, idempotencyKey: String? = nil, path: String,
        body: String, acceptedAt: Int, seed: UInt64
    ) {
        self.id = id
        self.label = label
        self.tenant = tenant
        self.idempotencyKey = idempotencyKey
        self.path = path
        self.body = body
        self.acceptedAt = acceptedAt
        self.seed = seed
    }
}

/// By what the same prompt is recognised: another version of the program might write another one
/// for the same request, and then its answer could not be gone on with.
public struct PromptMark: Equatable, Sendable {
    /// Tokens of the prompt.
    public var tokenCount: Int

    /// CRC-32C over the tokens' numbers.
    public var checksum: UInt32

    /// Puts a mark together.
    init(tokenCount: Int, checksum: UInt32) {
        self.tokenCount = tokenCount
        self.checksum = checksum
    }

    /// The mark of a prompt.
    public init(_ tokens: [TokenID]) {
        tokenCount = tokens.count
        checksum = CRC32C.checksum(
            of: tokens.flatMap { token in
                (0..<4).map { UInt8(truncatingIfNeeded: token.rawValue >> (8 * $0)) }
            })
    }
}

/// How an answer has ended.
public enum AnswerEnd: Equatable, Sendable {
    /// It is whole, or was ended by its client.
    case finished(FinishReason)
    /// It could not go on.
    case failed(Refusal)
}

/// One thing that a head writes down.
///
/// A request has one answer or several; each is drawn by a sequence, and by another one after the
/// head was started again or its client has come back.
public enum JournalRecord: Equatable, Sendable {
    /// A head was started: the version of the journal, the cluster, its checkpoint.
    case opened(version: Int, cluster: String, fingerprint: String)

    /// Nodes were told a placement under this number.
    case placed(Epoch)

    /// A request was taken in.
    case accepted(ClientRequest)

    /// A sequence draws an answer of a request from now on.
    case drawing(SequenceID, request: String, answer: Int, prompt: PromptMark)

    /// The sequence has begun; so many tokens of its prompt were known.
    case began(SequenceID, cachedTokenCount: Int)

    /// Scores of prompt tokens, from a position on.
    case scored(SequenceID, firstPosition: Int, [TargetScore])

    /// A token was drawn.
    case drawn(SampledToken)

    /// An answer has ended.
    case ended(SequenceID, AnswerEnd)

    /// The client has left; the answer rests until it comes back.
    case rested(SequenceID)

    /// Nobody can ask for the request any more.
    case forgotten(request: String)

    /// The version of what is written here.
    public static let version = 1

    /// Versions that can be read: a later one may hold records of other kinds, which are skipped.
    public static let readableVersions = 1...(version + 1)
}
