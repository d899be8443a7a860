import SkeinCore
import Testing

@testable import SkeinText

@Suite struct StopStringScannerTests {
    static let cases: [(text: String, stops: [String], free: String, stop: String?)] = [
        ("hello world", ["wor"], "hello ", "wor"), ("hello", [], "hello", nil),
        ("ababac", ["abac"], "ab", "abac"), ("aaaab", ["aab"], "aa", "aab"),
        ("abc", ["abc", "b"], "a", "b"), ("xabc", ["bc", "abc"], "x", "abc"),
        ("ab", ["abc"], "ab", nil), ("a\r\nb", ["\n"], "a\r", "\n"),
        ("cafe\u{301}!", ["e"], "caf", "e"), ("né🙂ü", ["🙂"], "né", "🙂"),
        ("stop", ["stop"], "", "stop"), ("ünder", ["ü", "n"], "", "ü"),
    ]

    @Test(arguments: cases.indices)
    func everyWayToCutTheTextGivesTheSame(index: Int) throws {
        let (text, stops, free, stop) = Self.cases[index]
        for pieces in Cuts.all(of: text) {
            var scanner = try StopStringScanner(stops)
            var emitted = ""
            var met: String?
            for piece in pieces {
                let finding = scanner.push(piece)
                #expect(met == nil || finding.text.isEmpty, "nothing follows a stop string")
                emitted += finding.text
                met = met ?? finding.stopString
            }
            emitted += scanner.finish()
            #expect(emitted.exact == free.exact && met?.exact == stop?.exact, "\(pieces)")
        }
    }

    @Test func onlyThePossibleBeginningIsHeldBack() throws {
        var scanner = try StopStringScanner(["END", "\n\n"])
        #expect(scanner.push("a E").text == "a ")
        #expect(scanner.push("N").text == "")
        #expect(scanner.push("x\n").text == "ENx")
        #expect(scanner.push("y").text == "\ny")
        #expect(scanner.finish() == "")
    }

    @Test func tooManyOrEmptyStopStringsAreRefused() {
        #expect(throws: Refusal("stop", "found an empty string, expected text")) {
            try StopStringScanner(["a", ""])
        }
        #expect(throws: Refusal("stop", "found 17 strings, expected at most 16")) {
            try StopStringScanner((0..<17).map(String.init))
        }
    }
}

/// Ways to cut a text into pieces at its scalars.
enum Cuts {
    /// Every way; the text must be short.
    static func all(of text: String) -> [[String]] {
        let scalars = Array(text.unicodeScalars)
        guard scalars.count > 1 else { return [[text]] }
        return (0..<(1 << (scalars.count - 1))).map { mask in
            var pieces = [String(scalars[0])]
            for place in 1..<scalars.count {
                if mask >> (place - 1) & 1 == 1 { pieces.append("") }
                pieces[pieces.count - 1].unicodeScalars.append(scalars[place])
            }
            return pieces
        }
    }

    /// Whole, scalar by scalar, and in two pieces at every place.
    static func some(of text: String) -> [[String]] {
        let scalars = Array(text.unicodeScalars)
        var cuts = [[text], scalars.map { String($0) }]
        for place in scalars.indices {
            cuts.append([
                String(String.UnicodeScalarView(scalars[..<place])),
                String(String.UnicodeScalarView(scalars[place...])),
            ])
        }
        return cuts
    }
}
