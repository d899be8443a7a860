/// Opaque bytes that travel as one part of a message.
///
/// A message is a list of frames: frame 0 is the packed envelope, the further frames are raw tensor
/// values. The wire fills frames and the transport carries them; as neither knows the other, the
/// word lives here.
public struct Frame: Equatable, Sendable {
    /// The bytes; never changed once they are a frame, so a link may send them without copying.
    public let bytes: [UInt8]

    /// Takes bytes as a frame.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// How many bytes the frame holds.
    public var byteCount: Int { bytes.count }
}
