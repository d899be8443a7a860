import Foundation
import Logging
import SkeinCore
import SkeinStage
import Testing

@testable import skein

/// How a line of the log is written, for people and for programs.
@Suite struct LogLineTests {
    private static let time = Date(timeIntervalSince1970: 1_700_000_000.125)

    private static func json(
        _ message: String, _ metadata: Logger.Metadata
    ) throws -> [String: Any] {
        let line = LogLine(
            label: "skein.node", level: .info, message: message, metadata, time: time
        ).text(.json)
        #expect(!line.contains("\n"))
        let value = try JSONSerialization.jsonObject(with: Data(line.utf8))
        return try #require(value as? [String: Any])
    }

    private static func text(_ message: String, _ metadata: Logger.Metadata) -> String {
        LogLine(
            label: "skein.node", level: .warning, message: message, metadata, time: time
        ).text(.text)
    }

    @Test func numbersAreNumbers() throws {
        let fields = try Self.json(
            "step",
            [
                "rows": .stringConvertible(17), "micro_batch": .stringConvertible(UInt64.max),
                "seconds": .stringConvertible(0.25), "is_head": .stringConvertible(true),
                "request": "123", "stages": .array([.stringConvertible(1), "two"]),
                "nested": .dictionary(["a": .stringConvertible(-1)]),
                "odd": .stringConvertible(Double.nan),
            ])
        #expect(fields["rows"] as? Int == 17 && fields["seconds"] as? Double == 0.25)
        #expect(fields["micro_batch"] as? UInt64 == .max && fields["is_head"] as? Bool == true)
        // What was given as a text stays one, though it looks like a number.
        #expect(fields["request"] as? String == "123")
        #expect((fields["stages"] as? [Any])?.first as? Int == 1)
        #expect((fields["nested"] as? [String: Int]) == ["a": -1])
        #expect(fields["odd"] as? String == "nan")
        #expect(fields["message"] as? String == "step" && fields["level"] as? String == "info")
        #expect(fields["time"] as? String == "2023-11-14T22:13:20.125Z")
    }

    @Test(arguments: ["a\nb", "\u{1B}[31mred", "\"quoted\" \\ \t", "\u{0}", "ümlaut 🪿", ""])
    func whateverIsSaidIsOneLine(text: String) throws {
        #expect(try Self.json(text, ["field": .string(text)])["message"] as? String == text)
        #expect(try Self.json(text, ["field": .string(text)])["field"] as? String == text)
        let line = Self.text(text, ["field": .string(text)])
        #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 }, "\(line)")
        // A name that the line has already is told apart.
        #expect(try Self.json("m", ["message": .string(text)])["field.message"] as? String == text)
    }

    @Test func peopleReadTheMessageBeforeWhatItCarries() {
        #expect(
            Self.text("a step failed", ["node": "a", "rows": .stringConvertible(3)])
                == "2023-11-14T22:13:20.125Z warning skein.node: a step failed node=a rows=3")
        #expect(
            Self.text("refused", ["reason": "two words", "empty": "", "sum": "a=b"]).hasSuffix(
                "refused empty=\"\" reason=\"two words\" sum=\"a=b\""))
    }

    @Test func aNodeTellsEachStepOnceAndEveryTenthOfALongLoad() {
        let display = NodeDisplay(name: "a")
        #expect(display.line(of: .waiting(coordinator: "tcp://h:1"))?.contains("tcp://h:1") == true)
        let total = 10 << 30
        let long = (0...1_000).compactMap {
            display.line(of: .loading(doneBytes: total / 1_000 * $0, totalBytes: total))
        }
        #expect(long.count == 11 || long.count == 10, "\(long)")
        #expect(long.first == "loading 0 % of 10.7 GB")
        // What comes late tells nothing new.
        #expect(display.line(of: .loading(doneBytes: 0, totalBytes: total)) == nil)
        let ready = NodeProgress.ready(
            stages: [StageIndex(1), StageIndex(4)], weightBytes: 5_000_000, residentBytes: 9_000_000
        )
        #expect(
            display.line(of: ready)
                == "ready, stage 1, stage 4; weights 5.0 MB, resident 9.0 MB")
        // A load of moments is one line, and so is the next one.
        let short = (0...10).compactMap {
            display.line(of: .loading(doneBytes: $0 * 100, totalBytes: 1_000))
        }
        #expect(short.count == 1)
        #expect(
            display.line(of: .ready(stages: [], weightBytes: 0, residentBytes: 0))?
                .hasPrefix("ready, experts") == true)
    }
}
