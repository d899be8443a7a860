public import SkeinCore

/// Opens links to peers by their address; one conformance for each kind of link.
public protocol LinkOpening: Sendable {
    /// Opens a link to the inbox at `address`.
    ///
    /// - Parameter publicKey: the peer's CURVE key as Z85 text; needed where the address is not
    ///   loopback.
    func open(to address: String, publicKey: String?) throws(Refusal) -> any Link
}
