import CZeroMQ
public import SkeinCore

/// A node's CURVE identity: the public key is its name on the allow-list of others.
///
/// Keys are Z85 text of 40 characters. The secret file holds the secret key alone; the public key
/// follows from it.
public struct CurveKeyPair: Sendable {
    /// What others put on their allow-list.
    public let publicKey: String

    /// Known to this node alone; never to be logged.
    public let secretKey: String

    /// Makes a new pair.
    public init() {
        var publicText = [CChar](repeating: 0, count: 41)
        var secretText = [CChar](repeating: 0, count: 41)
        let outcome = zmq_curve_keypair(&publicText, &secretText)
        precondition(outcome == 0, "this libzmq was built without CURVE")
        publicKey = Self.text(publicText)
        secretKey = Self.text(secretText)
    }

    /// Rebuilds a pair from its secret key.
    ///
    /// - Parameter subject: the file or field the key comes from, for the error line.
    public init(secretKey: String, subject: String) throws(Refusal) {
        try Self.check(secretKey, subject: subject)
        var publicText = [CChar](repeating: 0, count: 41)
        guard zmq_curve_public(&publicText, secretKey) == 0 else {
            throw Refusal(subject, "is no CURVE key")
        }
        publicKey = Self.text(publicText)
        self.secretKey = secretKey
    }

    /// Refuses text that is no CURVE key; never repeats the text, which may be a secret.
    public static func check(_ key: String, subject: String) throws(Refusal) {
        guard key.utf8.count == 40 else {
            throw Refusal(
                subject, "a CURVE key has 40 characters of Z85 text, found \(key.utf8.count)")
        }
        var bytes = [UInt8](repeating: 0, count: 32)
        guard key.utf8.allSatisfy(alphabet.contains), zmq_z85_decode(&bytes, key) != nil else {
            throw Refusal(subject, "is no Z85 text")
        }
    }

    private static let alphabet = Set(
        ("0123456789abcdefghijklmnopqrstuvwxyz" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
            + ".-:+=^!/*?&<>()[]{}@%$#").utf8)

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix(40).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
