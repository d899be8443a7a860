/// How activations travel from one stage to the next.
///
/// The form is part of a cluster's arithmetic. Every hop between two stages is reduced alike, the
/// one at the turn of a V included: answers depend on where layers are cut, and not on which stages
/// share a node.
public enum HopForm: String, CaseIterable, Sendable {
    /// As the residual stream is at layer boundaries anyway: nothing is lost.
    case bf16
    /// FP8 with a scale for each 128 numbers, about half the bytes; answers differ a little from
    /// BF16's.
    case fp8
}
