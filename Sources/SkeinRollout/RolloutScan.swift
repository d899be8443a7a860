internal import SkeinCore

/// Finds how many prompts of a file are whole, from its bytes as they come.
///
/// A line counts where it begins as the next line must, ends as an object does, and has its line
/// end. A break can only damage what was written last, the lines of one prompt; where more whole
/// lines follow a damaged one, the file is refused.
struct RolloutScan {
    /// Prompts of which every line is there.
    private(set) var wholePromptCount = 0
    /// Bytes of their lines.
    private(set) var wholeByteCount = 0
    /// Bytes of the file.
    private(set) var byteCount = 0

    private let path: String
    private let completionCount: Int
    private let promptCount: Int
    private var lineCount = 0
    /// The first line that is not as it must be.
    private var damagedLine: Int?
    /// The first bytes of the line that is being read.
    private var beginning: [UInt8] = []
    private var lastByte: UInt8 = 0

    init(path: String, completionCount: Int, promptCount: Int) {
        self.path = path
        self.completionCount = completionCount
        self.promptCount = promptCount
    }

    mutating func take(_ bytes: [UInt8]) throws(Refusal) {
        var start = 0
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            keep(bytes[start..<end])
            byteCount += end + 1 - start
            try endLine()
            start = end + 1
        }
        keep(bytes[start...])
        byteCount += bytes.count - start
    }

    private mutating func keep(_ part: ArraySlice<UInt8>) {
        guard let last = part.last else { return }
        lastByte = last
        if beginning.count < 80 { beginning += part.prefix(80 - beginning.count) }
    }

    private mutating func endLine() throws(Refusal) {
        let wanted = RolloutCompletion.lineBeginning(
            promptIndex: lineCount / completionCount, completionIndex: lineCount % completionCount)
        let isWhole = beginning.starts(with: wanted.utf8) && lastByte == UInt8(ascii: "}")
        beginning = []
        lastByte = 0
        lineCount += 1
        if !isWhole { damagedLine = damagedLine ?? lineCount }
        if let damagedLine {
            guard lineCount - damagedLine < completionCount else {
                throw Refusal(
                    "\(path) line \(damagedLine)",
                    "is not the line that this run wrote there; restore the file, or remove it")
            }
        } else if lineCount % completionCount == 0 {
            wholePromptCount += 1
            wholeByteCount = byteCount
            guard wholePromptCount <= promptCount else {
                throw Refusal(
                    path, "has more than the completions of \(promptCount) prompts of this run")
            }
        }
    }
}
