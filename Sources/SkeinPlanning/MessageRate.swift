/// What a message costs the cores of the host that sends it, and of the one that receives it.
///
/// It is encrypted and decrypted, copied, and wakes threads at both ends. A step has two messages
/// for each host of experts in every MoE layer, and then that is no small part of it.
public struct MessageRate: Equatable, Sendable {
    /// Seconds of a message of few bytes.
    public var seconds: Double

    /// Bytes a second of what it carries.
    public var bytesPerSecond: Double

    /// States both.
    public init(seconds: Double, bytesPerSecond: Double) {
        self.seconds = seconds
        self.bytesPerSecond = bytesPerSecond
    }

    /// What a server of today needs, with keys.
    public static let usual = MessageRate(seconds: 50e-6, bytesPerSecond: 1e9)

    /// Seconds at one end of a message of so many bytes.
    func seconds(ofBytes byteCount: Double) -> Double { seconds + byteCount / bytesPerSecond }
}
