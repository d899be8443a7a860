internal import Foundation
internal import NIOSSL
public import SkeinCore

/// A certificate and its key, by which a server proves who it is.
public struct TLSIdentity: Sendable {
    let configuration: TLSConfiguration

    /// Reads PEM files: the certificate with those that vouch for it, and the key.
    ///
    /// - Throws: a `Refusal` that names the file which cannot be read, is no PEM, or does not fit.
    public init(certificateFile: String, keyFile: String) throws(Refusal) {
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMBytes(try Self.bytes(certificateFile))
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(certificateFile, "is no certificate in PEM form")
        }
        guard !chain.isEmpty else {
            throw Refusal(certificateFile, "holds no certificate, expected one in PEM form")
        }
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(bytes: try Self.bytes(keyFile), format: .pem)
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(keyFile, "is no private key in PEM form without a password")
        }
        configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        do {
            _ = try NIOSSLContext(configuration: configuration)
        } catch {
            throw Refusal(keyFile, "is not the key of the certificate in \(certificateFile)")
        }
    }

    private static func bytes(_ path: String) throws(Refusal) -> [UInt8] {
        let sizeMax = Limits.smallFileBytesMax
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw Refusal(path, "cannot be opened, expected a PEM file")
        }
        do {
            guard let bytes = try file.read(upToCount: sizeMax), !bytes.isEmpty else {
                throw Refusal(path, "is empty, expected a PEM file")
            }
            guard bytes.count < sizeMax else {
                throw Refusal(path, "has \(sizeMax) bytes or more, expected a PEM file")
            }
            return Array(bytes)
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(path, "cannot be read, expected a PEM file")
        }
    }
}
