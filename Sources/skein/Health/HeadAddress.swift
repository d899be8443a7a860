import Foundation
import SkeinCluster
import SkeinCore

/// Where a head answers over HTTP: scheme, host, port, and a path where a proxy adds one.
struct HeadAddress: Equatable, Sendable {
    /// Without a slash at the end.
    let text: String

    /// Reads an address as a person writes it; a trailing `/v1`, as clients want it, is dropped.
    init(parsing text: String, subject: String) throws(Refusal) {
        guard text.utf8.count <= Limits.addressBytesMax, let parts = URLComponents(string: text),
            let scheme = parts.scheme?.lowercased(), ["http", "https"].contains(scheme),
            let host = parts.host, !host.isEmpty, parts.query == nil, parts.fragment == nil,
            parts.user == nil
        else {
            throw Refusal(
                subject, "found '\(text.prefix(100))', expected http://HOST:PORT or https://HOST")
        }
        var trimmed = text[...]
        while trimmed.hasSuffix("/") { trimmed = trimmed.dropLast() }
        if trimmed.hasSuffix("/v1") { trimmed = trimmed.dropLast(3) }
        self.text = String(trimmed)
    }

    /// The address that a cluster file names.
    init(clusterFile: String) throws(Refusal) {
        let coordinator = try ClusterFile.read(path: clusterFile).coordinator
        guard let http = coordinator.httpAddress else {
            throw Refusal(
                "\(clusterFile): coordinator.http",
                "found nothing; a cluster without an HTTP address cannot be asked, since nodes "
                    + "answer their coordinator only")
        }
        self.init(http, coordinator: coordinator.address)
    }

    /// The HTTP address of a cluster file; one that means every address of the head is asked at the
    /// one that nodes call.
    init(_ http: TCPAddress, coordinator: TCPAddress) {
        guard http.isEveryAddress else {
            text = "http://\(http.hostAndPort)"
            return
        }
        let loopback = TCPAddress.Host.ipv4("127.0.0.1")
        let host = coordinator.isEveryAddress ? loopback : coordinator.host
        text = "http://\(TCPAddress(host: host, port: http.port).hostAndPort)"
    }
}
