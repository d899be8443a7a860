/// How a node that runs as a child process says what happens to it.
public struct NodeLog: Sendable {
    /// How much is logged; the node's own default where `nil`.
    public var level: String?
    /// How lines are written; the node's own default where `nil`.
    public var format: String?
    /// Whether the node tells how it joins and loads; where the coordinator runs in the parent, it
    /// tells that of every node.
    public var showsProgress = true

    /// Describes how a node logs.
    public init(level: String? = nil, format: String? = nil) {
        self.level = level
        self.format = format
    }

    /// The options of `skein node` that say so.
    var arguments: [String] {
        (level.map { ["--log-level", $0] } ?? []) + (format.map { ["--log-format", $0] } ?? [])
            + (showsProgress ? [] : ["--without-progress"])
    }
}
