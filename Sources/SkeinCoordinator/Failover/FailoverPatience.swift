public import SkeinMembership

/// When slices move to other nodes without a standby, and when they go back.
public struct FailoverPatience: Equatable, Sendable {
    /// How long a lost node is waited for before its slices are spread over the others.
    ///
    /// A service manager starts a killed process again within a second or two, and its weights are
    /// still in the machine's memory; spreading has the others read theirs from disk, and a second
    /// time when the node is back. Requests without a token are given up after 60 seconds, so the
    /// wait and the load should be over by then.
    public var spreadAfter: Duration = .seconds(10)

    /// How long a head that follows another waits for nodes of the placement to come, before it
    /// takes them for lost: nodes that live say hello within three seconds, and hosts that were
    /// started together with the head may take longer.
    public var absentAfter: Duration = .seconds(30)

    /// How long a node that has come back must stay before it is given slices of nodes that run.
    public var steadyAfter: Duration = .seconds(30)

    /// How long nobody must have asked anything before slices go back: the ring stops for a load.
    public var quietAfter: Duration = .seconds(5)

    /// How long slices stay spread where somebody always asks; then they go back all the same, if
    /// the pause is known to be short.
    public var returnAfter: Duration = .seconds(600)

    /// The longest pause, by the last one, that streams are asked to wait for that.
    public var pauseMax: Duration = .seconds(15)

    /// How long nodes that fail again and again are kept out.
    public var steadiness = Steadiness.Patience()

    /// The usual times.
    public init() {}
}
