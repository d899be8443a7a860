import Foundation
import SkeinReference
import SkeinTensor

/// What an evaluation tells; what was not measured is absent.
struct EvalReport: Encodable, Sendable {
    struct Text: Encodable, Sendable {
        /// Tokens that were predicted.
        let tokens: Int
        let windows: Int
    }

    struct Task: Encodable, Sendable {
        let task: String
        let questions: Int
        let accuracy: Double
        let accuracyStderr: Double?
        /// By log-likelihood for each byte, of questions with choices.
        let normalizedAccuracy: Double?
        let normalizedAccuracyStderr: Double?
    }

    struct Form: Encodable, Sendable {
        let form: String
        let natsPerToken: Double?
        let perplexity: Double?
        /// From that of `f32`.
        let perplexityDeviationPercent: Double?
        /// The mean of KL(f32 || form).
        let klNats: Double?
        /// The share of tokens whose most probable successor is that of `f32`.
        let top1Agreement: Double?
        let tasks: [Task]
    }

    /// The folder of the model, or the address of the server.
    let model: String
    /// The kernels that ran.
    let isa = "\(Kernels.chosen)"
    let text: Text?
    let questionsSkipped: Int
    let seconds: Double
    let forms: [Form]

    init(
        model: String, work: EvalWork, skippedCount: Int, seconds: Double, columns: [EvalColumn]
    ) {
        self.model = model
        self.seconds = seconds
        questionsSkipped = skippedCount
        text =
            work.windows.isEmpty
            ? nil
            : Text(
                tokens: work.windows.reduce(0) { $0 + $1.count - 1 }, windows: work.windows.count)
        let yardstick = columns.first { $0.form == EvalForm.float32.rawValue }?.text.perplexity
        forms = columns.map { column in
            let perplexity = column.text.perplexity
            return Form(
                form: column.form, natsPerToken: column.text.lossPerToken, perplexity: perplexity,
                perplexityDeviationPercent: perplexity.flatMap { found in
                    yardstick.map { (found / $0 - 1) * 100 }
                },
                klNats: column.text.meanDivergence, top1Agreement: column.text.agreement,
                tasks: column.tasks.sorted { $0.key < $1.key }.compactMap(Task.init))
        }
    }

    /// The table for people.
    var table: String {
        var rows = [["form", "perplexity", "deviation", "KL (nats)", "top-1"]]
        let tasks = Set(forms.flatMap { $0.tasks.map(\.task) }).sorted()
        rows[0] += tasks
        for form in forms {
            var row = [form.form]
            row.append(Self.text(form.perplexity, "%.5f"))
            row.append(Self.text(form.perplexityDeviationPercent, "%+.4f %%"))
            row.append(Self.text(form.klNats, "%.2e"))
            row.append(Self.text(form.top1Agreement.map { $0 * 100 }, "%.2f %%"))
            for task in tasks {
                row.append(form.tasks.first { $0.task == task }?.text ?? "–")
            }
            rows.append(row)
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).enumerated().map { place, cell in
                let blanks = String(repeating: " ", count: cell.1 - cell.0.count)
                return place == 0 ? cell.0 + blanks : blanks + cell.0
            }.joined(separator: "  ") + "\n"
        }.joined()
    }

    private static func text(_ number: Double?, _ format: String) -> String {
        number.map { String(format: format, $0) } ?? "–"
    }
}

extension EvalReport.Task {
    /// `nil` where nothing was asked.
    init?(_ entry: (key: String, value: TaskTally)) {
        guard let accuracy = entry.value.accuracy else { return nil }
        task = entry.key
        questions = entry.value.count
        self.accuracy = accuracy
        accuracyStderr = entry.value.standardError(of: accuracy)
        normalizedAccuracy = entry.value.normalizedAccuracy
        normalizedAccuracyStderr = entry.value.normalizedAccuracy.flatMap {
            entry.value.standardError(of: $0)
        }
    }

    /// For a cell of a table.
    var text: String {
        let error = accuracyStderr.map { String(format: " ± %.3f", $0) } ?? ""
        return String(format: "%.3f", accuracy) + error
    }
}
