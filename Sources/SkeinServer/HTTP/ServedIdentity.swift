internal import NIOCore
internal import NIOSSL
internal import SkeinCore
internal import Synchronization

/// The certificate that a server shows now; another one takes its place while connections stand.
final class ServedIdentity: Sendable {
    private let current: Mutex<TLSIdentity>

    init(_ identity: TLSIdentity) { current = Mutex(identity) }

    /// From now on new connections are shown another certificate.
    func replace(by identity: TLSIdentity) { current.withLock { $0 = identity } }

    /// How connections are made: each asks for the certificate of its moment.
    var configuration: TLSConfiguration {
        var configuration = current.withLock { $0.configuration }
        configuration.sslContextCallback = { [self] _, promise in
            let now = current.withLock { $0.configuration }
            var shown = NIOSSLContextConfigurationOverride()
            shown.certificateChain = now.certificateChain
            shown.privateKey = now.privateKey
            promise.succeed(shown)
        }
        return configuration
    }
}
