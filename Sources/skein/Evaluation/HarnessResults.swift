import Foundation
import SkeinCore

/// The report as a results file of the evaluation harness lm_eval, which its readers take.
///
/// A task for each form and task of ours, and `text` for the perplexity of the text.
enum HarnessResults {
    static func value(of report: EvalReport, date: Date) -> JSONValue {
        var results: [JSONValue.Member] = []
        var better: [JSONValue.Member] = []
        var counts: [JSONValue.Member] = []
        for form in report.forms {
            if let perplexity = form.perplexity, let nats = form.natsPerToken {
                let name = "text_\(form.form)"
                results.append(
                    .init(
                        name,
                        .object([
                            .init("alias", .string(name)),
                            .init("token_perplexity,none", .number(perplexity)),
                            .init("token_perplexity_stderr,none", .string("N/A")),
                            .init("nats_per_token,none", .number(nats)),
                            .init("nats_per_token_stderr,none", .string("N/A")),
                        ])))
                better.append(
                    .init(
                        name,
                        .object([
                            .init("token_perplexity", .bool(false)),
                            .init("nats_per_token", .bool(false)),
                        ])))
                counts.append(.init(name, count(report.text?.windows ?? 0)))
            }
            for task in form.tasks {
                let name = "\(task.task)_\(form.form)"
                results.append(.init(name, result(of: task, name: name)))
                better.append(
                    .init(
                        name,
                        .object([.init("acc", .bool(true)), .init("acc_norm", .bool(true))])))
                counts.append(.init(name, count(task.questions)))
            }
        }
        let names = results.map(\.name)
        return .object([
            .init("results", .object(results)),
            .init(
                "group_subtasks", .object(names.map { .init($0, .array([])) })),
            .init(
                "configs", .object(names.map { .init($0, .object([.init("task", .string($0))])) })),
            .init("versions", .object(names.map { .init($0, .integer(1)) })),
            .init("n-shot", .object(names.map { .init($0, .integer(0)) })),
            .init("higher_is_better", .object(better)),
            .init("n-samples", .object(counts)),
            .init(
                "config",
                .object([
                    .init("model", .string("skein")),
                    .init("model_args", .string("pretrained=\(report.model)")),
                    .init("batch_size", .string("auto")),
                ])),
            .init("git_hash", .null),
            .init("date", .number(date.timeIntervalSince1970)),
            .init("skein_version", .string(SoftwareVersion.text)),
            .init("model_name", .string(report.model)),
            .init(
                "model_name_sanitized",
                .string(String(report.model.map { $0.isLetter || $0.isNumber ? $0 : "_" }))),
            .init("total_evaluation_time_seconds", .string("\(report.seconds)")),
        ])
    }

    private static func result(of task: EvalReport.Task, name: String) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("alias", .string(name)), .init("acc,none", .number(task.accuracy)),
            .init("acc_stderr,none", error(task.accuracyStderr)),
        ]
        if let normalized = task.normalizedAccuracy {
            members += [
                .init("acc_norm,none", .number(normalized)),
                .init("acc_norm_stderr,none", error(task.normalizedAccuracyStderr)),
            ]
        }
        return .object(members)
    }

    private static func error(_ value: Double?) -> JSONValue {
        value.map { .number($0) } ?? .string("N/A")
    }

    private static func count(_ number: Int) -> JSONValue {
        .object([.init("original", .integer(number)), .init("effective", .integer(number))])
    }
}
