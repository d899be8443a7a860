import Testing

/// The first thing a newcomer sees has no surprises in it.
@Suite struct TopLevelTests {
    private static let allowed: Set = [
        ".ci", ".editorconfig", ".git", ".gitignore", ".swift-format", "CHANGELOG.md",
        "CONTRIBUTING.md", "LICENSE", "Package.swift", "README.md", "SECURITY.md", "Sources",
        "Tests", "cluster", "proto",
    ]

    @Test func onlyKnownNamesLieAtTheTop() {
        let ignored = SourceTree.text(".gitignore").split(separator: "\n").map(String.init)
        for name in SourceTree.names(in: "") where !Self.allowed.contains(name) {
            #expect(
                ignored.contains { Self.matches(name, $0) },
                "\(name):1: a new name at the top; put it into a room or below cluster/")
        }
    }

    @Test func patternsOfGitAreUnderstood() {
        #expect(Self.matches(".build", ".build*/"))
        #expect(Self.matches("a.o", "*.o"))
        #expect(Self.matches("Package.resolved", "Package.resolved"))
        #expect(!Self.matches("notes", ".build*/"))
    }

    /// The two forms of pattern that our .gitignore uses: a name, and one star.
    private static func matches(_ name: String, _ pattern: String) -> Bool {
        let plain = pattern.hasSuffix("/") ? String(pattern.dropLast()) : pattern
        let parts = plain.split(separator: "*", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return name == plain }
        return name.hasPrefix(parts[0]) && name.hasSuffix(parts[1])
    }
}
