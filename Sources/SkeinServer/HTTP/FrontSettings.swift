internal import SkeinCore

/// How a front serves, beyond the model and the address.
public struct FrontSettings: Sendable {
    /// The certificate by which it speaks TLS; `nil` for plain HTTP.
    public var identity: TLSIdentity?

    /// Who may call from a browser; `nil` for nobody but pages of this server.
    public var crossOrigin: CrossOriginRule?

    /// Tokens of any answer at most; `nil` where only the context is the bound.
    ///
    /// A request that asks for more gets as many, and `"finish_reason": "length"` says so.
    public var newTokensMax: Int?

    /// How long a request may take from its arrival to its last token.
    public var requestBound: Duration = .seconds(Limits.httpRequestSecondsMax)

    /// How long a request that has no token yet waits for a lost node to come back.
    public var lostNodeBound: Duration = .seconds(Limits.lostNodeSecondsMax)

    /// How long a connection may rest, or take to bring a whole request.
    public var idleBound: Duration = .seconds(Limits.httpIdleSecondsMax)

    /// Whether it is the front of a cluster of several hosts, whose nodes may be sent away and
    /// which may be ended over HTTP.
    public var isHead = false

    /// Whether holders of keys may do so from other hosts too.
    public var takesRemoteOrders = false

    /// The usual settings.
    public init() {}
}
