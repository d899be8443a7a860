public import SkeinCore

/// Why a link did not take a message.
public struct LinkError: Error, Equatable, Sendable {
    /// What happened, for a program to tell apart.
    public enum Reason: Equatable, Sendable {
        /// The peer did not take the message within the bound: gone, stuck, or refusing us.
        case timedOut
        /// The connection broke while the message was being handed over.
        case broken
        /// This side closed the link, or the peer's inbox in this process is closed.
        case closed
        /// The sending task was cancelled while it waited.
        case cancelled
        /// The message has too many frames, or a frame is too long.
        case tooLong
    }

    /// What happened.
    public let reason: Reason

    /// The peer's address.
    public let address: String

    /// What happened, for people, with the last trouble of the connection.
    public let detail: String

    /// The same as one line for people.
    public var refusal: Refusal { Refusal("link to \(address)", detail) }
}

extension LinkError: CustomStringConvertible {
    /// The one line that a person reads.
    public var description: String { refusal.description }
}
