/// The version that nodes compare when they join.
enum SoftwareVersion {
    /// Semantic version of this program.
    static let text = "0.1.0"
}
