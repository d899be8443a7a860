/// How the rows that a stage sends to experts elsewhere travel.
///
/// The form is part of a cluster's arithmetic: experts at home receive the rows as those elsewhere
/// do, so answers do not depend on where an expert lies.
public enum DispatchForm: String, CaseIterable, Sendable {
    /// As experts at home receive them anyway: nothing is lost.
    case bf16
    /// FP8 with a scale for each 128 numbers, half the bytes; answers differ a little from BF16's.
    case fp8
}
