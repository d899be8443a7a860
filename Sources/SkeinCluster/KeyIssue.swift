internal import Foundation
public import SkeinCore
internal import SkeinTransport

/// Makes the keys of a cluster: a pair for the coordinator and for each node.
///
/// Secrets lie in `FOLDER/HOST/NAME.secret`, one folder a host, so that each host can be given its
/// own and nothing else. A host that reads them finds them there, too, and in `FOLDER/NAME.secret`.
/// What is there is kept; a second run changes nothing.
public struct KeyIssue: Sendable {
    /// The cluster file.
    public let clusterFile: String

    /// Where the secrets go.
    public let folder: String

    /// Whether new pairs take the place of those that are there.
    public let replacesPairs: Bool

    /// Describes what is to be made.
    ///
    /// - Parameter folder: `nil` for `keys` beside the cluster file.
    public init(clusterFile: String, folder: String? = nil, replacesPairs: Bool = false) {
        self.clusterFile = clusterFile
        let beside = ClusterFile.folder(of: clusterFile)
        self.folder =
            folder.map { URL(fileURLWithPath: $0).standardizedFileURL.path }
            ?? ClusterFile.absolute("keys", in: beside)
        self.replacesPairs = replacesPairs
    }

    /// What became of one pair.
    public struct Pair: Equatable, Sendable {
        /// The node's name, or `coordinator`.
        public let name: String
        /// The host that it runs on.
        public let host: String
        /// The secret file.
        public let file: String
        /// Its public key.
        public let publicKey: String
        /// Whether the pair is new.
        public let isNew: Bool
    }

    /// What was done, and what is left to do.
    public struct Outcome: Sendable {
        /// One for the coordinator, then one for each node in the file's order.
        public var pairs: [Pair] = []
        /// One line for each thing that a person should look at.
        public var warnings: [String] = []
        /// The cluster file with its public keys; `nil` where it has them already.
        public var clusterText: String?
        /// What is new in that text, a line each.
        public var changes: [String] = []
    }

    /// Makes what is missing of the pairs, and the text of the cluster file that names them.
    ///
    /// Secrets are written first: a run that ends before the cluster file is written is completed
    /// by the next.
    ///
    /// - Throws: a `Refusal` where the cluster file is wrong, or a secret cannot be written or
    ///   read.
    public func run() throws(Refusal) -> Outcome {
        let bytes = try ClusterFile.bytes(of: clusterFile, kind: "cluster file")
        let before = try ClusterFile.parseWithoutKeys(bytes, path: clusterFile)
        var outcome = Outcome()
        var after = before
        after.coordinator.publicKey = try pair(
            ClusterKeys.coordinatorName, before.coordinator.address,
            [before.coordinator.publicKey].compactMap(\.self), &outcome)
        for (place, node) in before.nodes.enumerated() {
            let key = try pair(node.name, node.address, node.publicKeys, &outcome)
            // A key that the file has as the node's next stays where it is.
            if key != node.nextPublicKey { after.nodes[place].publicKey = key }
        }
        if before.keysPath == nil {
            after.keysPath = folder
        } else if let path = before.keysPath, path != folder {
            outcome.warnings.append(
                "\(clusterFile): keys: names \(path); put the secrets of \(folder) there on each "
                    + "host")
        }
        guard after != before else { return outcome }
        let text = try KeyedText(bytes, path: clusterFile).text(
            naming: after, keysFolder: before.keysPath == nil ? relativeFolder : nil)
        outcome.clusterText = text.text
        outcome.changes = Self.changes(from: before, to: after)
        if !text.keepsForm {
            outcome.warnings.append(
                "\(clusterFile): its form could not be kept, so it is written again, without its "
                    + "comments")
        }
        return outcome
    }

    // MARK: - Private

    /// The folder as the cluster file names it: relative where it lies beside or below the file.
    private var relativeFolder: String {
        let beside = ClusterFile.folder(of: clusterFile).path + "/"
        return folder.hasPrefix(beside) ? String(folder.dropFirst(beside.count)) : folder
    }

    /// Finds or makes the pair of a name.
    ///
    /// - Returns: the public key that the cluster file should name.
    private func pair(
        _ name: String, _ address: TCPAddress, _ published: [String], _ outcome: inout Outcome
    ) throws(Refusal) -> String {
        let host = address.hostName
        let file = "\(folder)/\(host)/\(name).secret"
        let isThere = FileManager.default.fileExists(atPath: file)
        if isThere, !replacesPairs {
            let keys = try CurveKeyPair(readingSecretFrom: file)
            outcome.pairs.append(
                Pair(
                    name: name, host: host, file: file, publicKey: keys.publicKey, isNew: false))
            if let first = published.first, !published.contains(keys.publicKey) {
                outcome.warnings.append(
                    "\(file): belongs to the public key \(keys.publicKey), \(clusterFile) gives "
                        + "\(name) \(first); both are kept, --force makes a new pair")
                return first
            }
            return keys.publicKey
        }
        if let first = published.first, !replacesPairs {
            outcome.warnings.append(
                "\(clusterFile): \(name) has the public key \(first), whose secret is not "
                    + "\(file); it is kept, --force makes a new pair")
            return first
        }
        let keys = CurveKeyPair()
        try write(keys, to: file, isThere: isThere)
        outcome.pairs.append(
            Pair(name: name, host: host, file: file, publicKey: keys.publicKey, isNew: true))
        return keys.publicKey
    }

    /// A new secret takes the former's place at once, so that there is one at any time.
    private func write(_ keys: CurveKeyPair, to file: String, isThere: Bool) throws(Refusal) {
        guard isThere else { return try keys.writeSecret(to: file) }
        let fresh = file + ".new"
        do {
            if FileManager.default.fileExists(atPath: fresh) {
                try FileManager.default.removeItem(atPath: fresh)
            }
        } catch {
            throw Refusal(fresh, "cannot be removed: \(error.localizedDescription)")
        }
        try keys.writeSecret(to: fresh)
        guard rename(fresh, file) == 0 else {
            throw Refusal(file, "cannot be replaced: \(String(cString: strerror(errno)))")
        }
    }

    private static func changes(from before: Topology, to after: Topology) -> [String] {
        var changes: [String] = []
        if before.coordinator.publicKey != after.coordinator.publicKey {
            changes.append("coordinator: public_key")
        }
        for (old, new) in zip(before.nodes, after.nodes) where old.publicKey != new.publicKey {
            changes.append("node \(new.name): public_key")
        }
        if before.keysPath != after.keysPath { changes.append("keys: \(after.keysPath ?? "")") }
        return changes
    }
}
