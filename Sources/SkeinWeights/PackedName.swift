public import SkeinTensor

/// A matrix of a plan in one of the forms in which it multiplies.
public struct PackedName: Hashable, Sendable {
    /// The tensor's published name.
    public let name: String

    /// What becomes of it.
    public let form: PackedForm

    /// Names a matrix in a form.
    public init(_ name: String, as form: PackedForm) {
        self.name = name
        self.form = form
    }
}
