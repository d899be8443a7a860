public import SkeinCore

/// A step in a node's way into its cluster, for the people who run it.
public enum NodeProgress: Equatable, Sendable {
    /// It says hello to a coordinator that has not answered yet, or answers no more.
    case waiting(coordinator: String)
    /// The coordinator has let it in.
    case joined
    /// It has read so many bytes of its slices.
    case loading(doneBytes: Int, totalBytes: Int)
    /// It can run these stages; without any it serves experts alone.
    case ready(stages: [StageIndex], weightBytes: Int, residentBytes: Int)
    /// Another node has taken its place while it was cut off; it stands by.
    case replaced
}
