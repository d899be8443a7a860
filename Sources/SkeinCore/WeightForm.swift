/// In which form weights are kept in memory.
public enum WeightForm: String, CaseIterable, Sendable {
    /// As the checkpoint stores them.
    case native
    /// Matrices that only multiply, the head included, as INT8 with an F32 scale for each 128
    /// columns of a row; made while loading.
    case int8
}
