/// How rows travel: activations from one stage to the next, and what a stage sends to experts
/// elsewhere.
///
/// The form is part of a cluster's arithmetic. Every hop between two stages is reduced alike, the
/// one at the turn of a V included: answers depend on where layers are cut, and not on which stages
/// share a node. Local experts receive rows as remote ones do: answers do not depend on where
/// an expert lies.
public enum RowForm: String, CaseIterable, Sendable {
    /// As rows are rounded anyway, at layer boundaries and before experts: nothing is lost.
    case bf16
    /// FP8 with a scale for each 128 numbers, about half the bytes; answers differ a little from
    /// BF16's.
    case fp8
}
