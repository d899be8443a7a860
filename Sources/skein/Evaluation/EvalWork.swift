import Foundation
import SkeinCluster
import SkeinCore
import SkeinReference
import SkeinText
import Synchronization

/// What every form is asked: windows of a text, and questions.
struct EvalWork: Sendable {
    /// The text in parts that fit the context, each with the begin token in front.
    var windows: [[TokenID]] = []
    var questions: [EvalQuestion] = []
    /// Of each question its prompt in tokens.
    var prompts: [[TokenID]] = []
    /// Of each question its choices in tokens; none where it has none.
    var choices: [[[TokenID]]] = []

    /// Tokens of the longest sequence, without answers.
    var longest: Int {
        let choiceCounts = zip(prompts, choices).map { prompt, choices in
            prompt.count + (choices.map(\.count).max() ?? 0)
        }
        return (windows.map(\.count) + choiceCounts).max() ?? 1
    }

    /// Cuts a text into windows.
    ///
    /// - Parameters:
    ///   - tokens: of the text, without a begin token.
    ///   - windowCount: tokens of a window with its begin token.
    ///   - tokensMax: tokens of the text that are taken at most.
    static func windows(
        _ tokens: [TokenID], begin: TokenID?, windowCount: Int, tokensMax: Int
    ) -> [[TokenID]] {
        let front = begin.map { [$0] } ?? []
        let size = max(2, windowCount) - front.count
        return stride(from: 0, to: min(tokens.count, tokensMax), by: size).map { first in
            front + tokens[first..<min(first + size, tokens.count, tokensMax)]
        }.filter { $0.count > 1 }
    }

    /// The sequences whose scores decide choices, in the order of questions and choices.
    var choiceSequences: [(question: Int, tokens: [TokenID])] {
        choices.enumerated().flatMap { question, choices in
            choices.map { (question, prompts[question] + $0) }
        }
    }

    /// Takes what a form gave each choice of every question with choices.
    ///
    /// - Parameter likelihoods: by question, ln p of each choice.
    func judge(
        _ likelihoods: [Int: [Double]], into tasks: inout [String: TaskTally]
    ) {
        for (number, values) in likelihoods {
            guard case .choice(let texts, let right) = questions[number].judge else { continue }
            let normalized = zip(values, texts).map { $0 / Double($1.utf8.count) }
            tasks[questions[number].task, default: TaskTally()].take(
                Self.best(values) == right, normalized: Self.best(normalized) == right)
        }
    }

    private static func best(_ values: [Double]) -> Int? {
        values.indices.max { (values[$0], $1) < (values[$1], $0) }
    }
}

/// The yardstick's logits of every window, in a file: they may be more than memory holds.
final class YardstickFile: Sendable {
    /// It has no name any more, so that nothing of it outlives this program, however that ends.
    private let file: FileHandle
    private let windows = Mutex<[Window]>([])

    private struct Window {
        let offset: UInt64
        let rowCount: Int
        let columnCount: Int
    }

    init() throws(Refusal) {
        let folder = try TemporaryFolder(prefix: "skein-yardstick")
        defer { folder.remove() }
        let path = folder.path + "/logits"
        guard FileManager.default.createFile(atPath: path, contents: nil) else {
            throw Refusal(path, "cannot be written")
        }
        do {
            file = try FileHandle(forUpdating: URL(filePath: path))
        } catch {
            throw Refusal(path, "cannot be opened: \(error.localizedDescription)")
        }
    }

    /// Keeps the next window's rows.
    func append(_ rows: [[Float]]) throws {
        try windows.withLock { windows in
            windows.append(
                Window(
                    offset: try file.seekToEnd(), rowCount: rows.count,
                    columnCount: rows[0].count))
            for row in rows { try file.write(contentsOf: Data(FloatBytes.bytes(of: row))) }
        }
    }

    /// A window's rows.
    func rows(_ window: Int) throws -> [[Float]] {
        try windows.withLock { windows in
            let place = windows[window]
            try file.seek(toOffset: place.offset)
            return try (0..<place.rowCount).map { _ in
                FloatBytes.numbers(
                    in: Array(try file.read(upToCount: 4 * place.columnCount) ?? Data()))
            }
        }
    }
}

/// Numbers as they are captured and kept: F32, the lowest byte first.
enum FloatBytes {
    static func bytes(of numbers: [Float]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * numbers.count)
        for number in numbers {
            let bits = number.bitPattern
            bytes.append(UInt8(truncatingIfNeeded: bits))
            bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
            bytes.append(UInt8(truncatingIfNeeded: bits >> 16))
            bytes.append(UInt8(truncatingIfNeeded: bits >> 24))
        }
        return bytes
    }

    static func numbers(in bytes: some RandomAccessCollection<UInt8>) -> [Float] {
        let bytes = Array(bytes)
        return (0..<bytes.count / 4).map { place in
            let low = UInt32(bytes[4 * place]) | UInt32(bytes[4 * place + 1]) << 8
            let high = UInt32(bytes[4 * place + 2]) << 16 | UInt32(bytes[4 * place + 3]) << 24
            return Float(bitPattern: low | high)
        }
    }
}
