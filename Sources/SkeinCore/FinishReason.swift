/// Why a sequence ended.
public enum FinishReason: String, Equatable, Sendable {
    /// A stop token or a stop string was produced.
    case stop
    /// The wanted number of tokens was produced, or the context is full.
    case length
    /// The client went away.
    case cancelled
}
