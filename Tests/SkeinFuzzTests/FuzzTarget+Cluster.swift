import SkeinCluster
import SkeinCore
import SkeinPlanning

extension FuzzTarget {
    /// A cluster file.
    static func readCluster(_ bytes: [UInt8]) throws {
        let topology = try ClusterFile.parse(bytes, path: "/cluster.yaml")
        let again = try BrokenPromise.ifRefused {
            try ClusterFile.parse(Array(topology.yaml.utf8), path: "/cluster.yaml")
        }
        try BrokenPromise.unless(again == topology, "another cluster was written")
    }

    /// A hosts file.
    static func readHosts(_ bytes: [UInt8]) throws {
        let file = try HostsFile(parsing: bytes, path: "/hosts.yaml")
        guard let host = file.hosts.hosts.first else { return }
        // A host that a file cannot say is refused; one that is said reads back.
        let text = try HostsFile.text(of: host, path: "/hosts.yaml")
        _ = try BrokenPromise.ifRefused {
            try HostsFile(parsing: Array(text.utf8), path: "/hosts.yaml")
        }
    }
}
