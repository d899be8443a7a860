import Foundation
import NIOSSL
import SkeinCore

/// What a command that asks a server over HTTP shows and trusts.
enum ClientTrust {
    /// Names of the environment's keys, the first that is set counts.
    private static let keyNames = ["SKEIN_API_KEY", "OPENAI_API_KEY"]

    /// The API key: the one that is given, else one of the environment.
    ///
    /// - Throws: where no HTTP header can hold it.
    static func key(
        _ given: String?, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(Refusal) -> String? {
        let named = keyNames.first { environment[$0]?.isEmpty == false }
        guard let key = given ?? named.flatMap({ environment[$0] }) else { return nil }
        guard key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Refusal(
                given == nil ? named ?? "--api-key" : "--api-key",
                "found characters that no HTTP header carries")
        }
        return key
    }

    /// Which certificates are trusted for `https`.
    ///
    /// - Parameters:
    ///   - certificates: a file in PEM form, in place of those that the system trusts.
    ///   - trustsAnyone: whether a server may have any certificate.
    static func security(
        certificates: String?, trustsAnyone: Bool
    ) throws(Refusal) -> TLSConfiguration {
        var security = TLSConfiguration.makeClientConfiguration()
        if trustsAnyone { security.certificateVerification = .none }
        if let certificates {
            do {
                security.trustRoots = .certificates(
                    try NIOSSLCertificate.fromPEMFile(certificates))
            } catch {
                throw Refusal(certificates, "cannot be read, expected certificates in PEM form")
            }
        }
        return security
    }
}
