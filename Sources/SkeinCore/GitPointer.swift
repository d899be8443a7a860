/// The short text that Git puts in the place of a large file until `git lfs pull` fetches it.
public enum GitPointer {
    private static let beginning = Array("version https://git-lfs.github.com/spec/".utf8)

    /// Refuses a file that is only a pointer.
    ///
    /// - Parameters:
    ///   - bytes: the file's beginning, or all of it.
    ///   - subject: the file's name for the refusal.
    public static func refuse(_ bytes: [UInt8], subject: String) throws(Refusal) {
        guard bytes.starts(with: beginning) else { return }
        throw Refusal(
            subject,
            "is a Git LFS pointer in place of the file; run 'git lfs pull' in its folder")
    }
}
