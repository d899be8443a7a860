public import SkeinCore

extension Envelope {
    /// Reads a message that `peer` sent, checking everything before using it.
    ///
    /// - Parameter peer: who sent it as far as the transport knows, for the error line.
    public init(parsing frames: [Frame], from peer: String) throws(WireError) {
        fatalError("not yet")
    }
}
