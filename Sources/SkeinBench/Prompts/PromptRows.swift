/// What became of the rows of a file of prompts.
struct PromptRows: Equatable, Sendable {
    /// Rows that prompts were made of.
    var usedCount = 0
    /// Rows that could not be used.
    var skippedCount = 0
    /// Why the first of them could not, each with its place in the file.
    private(set) var skipReasons: [String] = []

    /// Reasons that are kept: enough to see what is wrong with a file.
    private static let reasonsMax = 3

    /// Leaves a row out.
    mutating func skip(_ reason: String) {
        skippedCount += 1
        if skipReasons.count < Self.reasonsMax { skipReasons.append(reason) }
    }

    /// What a reader must know; `nil` where every row was used.
    var warning: String? {
        guard skippedCount > 0 else { return nil }
        let listed = skipReasons.joined(separator: "; ")
        let more = skippedCount > skipReasons.count ? "; …" : ""
        return "\(skippedCount) of \(skippedCount + usedCount) rows were skipped: \(listed)\(more)"
    }
}
