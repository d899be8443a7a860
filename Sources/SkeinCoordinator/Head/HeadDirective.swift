internal import Logging
public import SkeinCore
internal import SkeinJournal
internal import SkeinMembership
internal import SkeinWire

/// A caller who waits for something of the head.
struct WaitID: Hashable, Comparable, Sendable {
    let rawValue: UInt64

    static func < (one: WaitID, other: WaitID) -> Bool { one.rawValue < other.rawValue }
}

/// What the head tells its shell to do, in order.
enum HeadDirective: Sendable {
    /// Open a link to a node that has come, in place of the one there is;
    /// ``Head/onConnected(_:now:)`` or ``Head/onConnectFailed(_:_:)`` tells what became of it.
    case connect(node: String, address: String, publicKey: String?)

    /// Close the link to a node; where it drains, what waits there is sent first.
    case disconnect(String, drains: Bool)

    /// Queue a message for a node.
    case tell(String, Envelope)

    /// Give an event to the reader of a request.
    case yield(SequenceID, GenerationEvent)

    /// The reader of a request gets nothing more; with the reason where the request failed.
    case close(SequenceID, Refusal?)

    /// Write a record down, the last one of this number; ``Head/onJournal(_:now:)`` tells what
    /// became of it.
    case record(JournalRecord, number: UInt64)

    /// Rewrite the whole journal; these records stand for all up to a number.
    case rewrite([JournalRecord], through: UInt64)

    /// Let a caller go on.
    case resume(WaitID)

    /// Work out what follows tokens of constrained answers; ``Head/onOutcomes(_:now:)`` takes it.
    case workOut([ConstraintDesk.Question])

    /// Write a line to the log.
    case log(Logger.Level, String, Logger.Metadata)

    /// Tell people how the cluster forms.
    case report(ClusterProgress)
}

/// Why a request was not taken in.
public enum AdmissionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// It can never run here; the refusal's subject is the part that is wrong.
    case invalid(Refusal)
    /// Too many wait already; it may be tried again later.
    case busy(Refusal)
    /// The cluster has ended, or takes in nothing that it cannot write down.
    case ended(Refusal)
    /// Its client has asked the same before, by the same idempotency key.
    case repeated(request: String)

    /// Why, in one line.
    public var refusal: Refusal {
        switch self {
        case .invalid(let refusal), .busy(let refusal), .ended(let refusal): refusal
        case .repeated(let name): Refusal("request", "is known as \(name)")
        }
    }

    /// The refusal's line.
    public var description: String { refusal.description }
}
