public import SkeinCore

extension Envelope {
    /// The message as frames: the envelope, then the tensors.
    public func packed() throws(WireError) -> [Frame] { fatalError("not yet") }
}
