import SkeinCore
import SkeinRollout
import SkeinText

/// One question of an evaluation.
struct EvalQuestion: Sendable {
    /// How an answer is judged.
    enum Judge: Sendable {
        /// By what the model says.
        case check(AnswerCheck)
        /// By which choice it holds most probable.
        case choice([String], right: Int)
    }

    /// What it counts for.
    let task: String
    let prompt: RolloutPrompt
    let isThinking: Bool
    let judge: Judge

    /// What was read from a file.
    struct Reading: Sendable {
        var questions: [EvalQuestion] = []
        /// The lines that could not be used, and why.
        var skipped: [Refusal] = []
    }

    /// Reads a JSON object a line; a line that cannot be used is skipped.
    ///
    /// - Parameters:
    ///   - field: the name of the question's field.
    ///   - kind: how answers are judged where a line does not say.
    static func read(
        _ bytes: [UInt8], subject: String, field: String, kind: String
    ) throws(Refusal) -> Reading {
        var reading = Reading()
        var number = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            guard line.contains(where: { ![0x20, 0x0D, 0x09].contains($0) }) else { continue }
            do throws(Refusal) {
                reading.questions.append(
                    try EvalQuestion(
                        Array(line), place: "\(subject) line \(number)", field: field, kind: kind))
            } catch {
                reading.skipped.append(error)
            }
        }
        guard !reading.questions.isEmpty else {
            throw reading.skipped.first ?? Refusal(subject, "holds no questions")
        }
        return reading
    }

    /// States a question.
    init(task: String, prompt: RolloutPrompt, isThinking: Bool, judge: Judge) {
        self.task = task
        self.prompt = prompt
        self.isThinking = isThinking
        self.judge = judge
    }

    private init(
        _ line: [UInt8], place: String, field: String, kind: String
    ) throws(Refusal) {
        let row = try JSONValue(parsing: line, subject: place)
        prompt = try RolloutPrompt(row, place: place, fields: .init(prompt: field))
        isThinking = row["thinking"]?.bool ?? false
        let named = row["kind"]?.string
        let isKind = named.map { $0 == "choice" || AnswerCheck.Kind(rawValue: $0) != nil } == true
        let chosen = isKind ? named ?? kind : row["choices"] != nil ? "choice" : kind
        task = row["task"]?.string ?? (isKind ? nil : named) ?? chosen
        if chosen == "choice" {
            judge = try Self.choice(row, place: place)
        } else if let kind = AnswerCheck.Kind(rawValue: chosen) {
            judge = .check(
                try AnswerCheck(kind, expected: prompt.expected, place: "\(place): answer"))
        } else {
            throw Refusal("\(place): kind", "found '\(chosen)', expected exact, numeric or choice")
        }
    }

    /// The right choice is told by its place, its letter, or its text.
    private static func choice(_ row: JSONValue, place: String) throws(Refusal) -> Judge {
        let choices = row["choices"]?.array?.compactMap(\.string) ?? []
        guard choices.count >= 2, choices.count == row["choices"]?.array?.count,
            !choices.contains("")
        else {
            throw Refusal("\(place): choices", "expected two texts or more")
        }
        let answer = row["answer"]
        let letters = (0..<choices.count).map { String(UnicodeScalar(UInt8(65 + $0 % 26))) }
        let found =
            answer?.integer
            ?? answer?.string.flatMap { text in
                choices.firstIndex(of: text) ?? letters.firstIndex(of: text)
            }
        guard let found, choices.indices.contains(found) else {
            throw Refusal(
                "\(place): answer",
                "found \(answer?.summary ?? "nothing"), expected one of the choices, its letter, "
                    + "or its place from 0")
        }
        return .choice(choices, right: found)
    }
}
