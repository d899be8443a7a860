public import SkeinCore

/// One message between two nodes: what it is, who sent it, and under which placement.
///
/// ```
///            packed()                          init(parsing:from:)
///  Envelope ──────────► [frame 0, frame 1, …] ────────────────────► Envelope
///                        protobuf  raw tensors
/// ```
public struct Envelope: Equatable, Sendable {
    /// The placement the message belongs to; `.none` before the first one.
    public var epoch: Epoch

    /// The name of the sending node.
    public var sender: String

    /// The stage of the receiving node that is meant; `nil` where the node itself is.
    public var target: StageIndex?

    /// The message.
    public var body: Body

    /// The kinds of message.
    public enum Body: Equatable, Sendable {
        /// A node introduces itself to the coordinator.
        case hello(Hello)
        /// The coordinator does not accept a node, in one line.
        case refused(reason: String)
        /// The coordinator gives a node its slices.
        case placement(Placement)
        /// A node tells how far it is with its slices.
        case loading(Loading)
        /// A node has its slices and links.
        case ready(Ready)
        /// A heartbeat.
        case alive(Alive)
        /// A node goes away in good order, in one line.
        case leave(reason: String)
        /// Everybody ends.
        case shutdown
        /// A stage could not finish a step.
        case fault(Fault)
        /// Sequences that ended.
        case release([SequenceID])
        /// The coordinator asks what a node's lanes did.
        case traceRequest(TraceRequest)
        /// What a node's lanes did.
        case traceAnswer(TraceAnswer)
        /// A micro-batch for a stage.
        case step(Step)
        /// The outcome of a micro-batch, and its credit.
        case tokenReturn(TokenReturn)
        /// Inner values of a micro-batch on one stage.
        case captured(Captured)
        /// Rows for remote experts.
        case dispatch(Dispatch)
        /// What remote experts gave.
        case combine(Combine)
    }

    /// Addresses a message.
    ///
    /// - Precondition: a body that has its own epoch has this one.
    public init(epoch: Epoch, sender: String, target: StageIndex? = nil, body: Body) {
        self.epoch = epoch
        self.sender = sender
        self.target = target
        self.body = body
        precondition(body.ownEpoch == nil || body.ownEpoch == epoch, "two epochs in one message")
    }

    /// How the message's placement stands to the one in force.
    public enum Standing: Equatable, Sendable {
        /// Of an earlier placement: drop it.
        case old
        /// Of this placement.
        case current
        /// Of a placement that the receiver has yet to learn of.
        case early
    }

    /// Compares the message's epoch with the one in force.
    public func standing(in current: Epoch) -> Standing {
        epoch < current ? .old : epoch == current ? .current : .early
    }
}

extension Envelope.Body {
    /// The kind's name in `proto/`, for error lines and counters.
    public var kind: String {
        switch self {
        case .hello: "hello"
        case .refused: "refused"
        case .placement: "placement"
        case .loading: "loading"
        case .ready: "ready"
        case .alive: "alive"
        case .leave: "leave"
        case .shutdown: "shutdown"
        case .fault: "fault"
        case .release: "release"
        case .traceRequest: "trace_request"
        case .traceAnswer: "trace_answer"
        case .step: "step"
        case .tokenReturn: "token_return"
        case .captured: "captured"
        case .dispatch: "dispatch"
        case .combine: "combine"
        }
    }

    /// The epoch inside the body, where its Swift type has one; the wire carries it once.
    var ownEpoch: Epoch? {
        switch self {
        case .placement(let placement): placement.epoch
        case .step(let step): step.microBatch.epoch
        case .tokenReturn(let outcome): outcome.epoch
        default: nil
        }
    }
}
