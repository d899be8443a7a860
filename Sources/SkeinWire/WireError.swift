public import SkeinCore

/// A message that is refused, with the peer, the kind and the field that are to blame.
public struct WireError: Error, Equatable, Sendable {
    /// What is wrong, for a program to tell apart.
    public enum Reason: Equatable, Sendable {
        /// No frames at all, or an empty envelope.
        case empty
        /// More bytes than the limit.
        case tooLong
        /// Bytes that are no envelope, or one cut short.
        case torn
        /// Another wire version.
        case unknownVersion
        /// No body, or a body that this version does not know.
        case unknownKind
        /// A kind that belongs to a placement, without an epoch.
        case epochMissing
        /// Frames that do not agree with their description: count, type, shape or size.
        case wrongFrames
        /// A field outside its range.
        case wrongField
    }

    /// What is wrong.
    public let reason: Reason

    /// Who sent it, as far as the transport knows.
    public let peer: String

    /// The kind and field, for example `step.spans[3].token_ids`.
    public let field: String

    /// What was found and what was expected.
    public let detail: String

    /// The same as one line for people.
    public var refusal: Refusal { Refusal("message from \(peer): \(field)", detail) }
}

extension WireError: CustomStringConvertible {
    /// The one line that a person reads.
    public var description: String { refusal.description }
}
