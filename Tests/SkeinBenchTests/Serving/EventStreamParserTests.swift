import Testing

@testable import SkeinBench

@Suite struct EventStreamParserTests {
    private static func events(_ text: String, cutAt sizes: [Int] = []) throws -> [String] {
        var parser = EventStreamParser()
        var bytes = Array(text.utf8)[...]
        var events: [EventStreamParser.Event] = []
        for size in sizes {
            events += try parser.push(bytes.prefix(size))
            bytes = bytes.dropFirst(size)
        }
        events += try parser.push(bytes)
        if let last = parser.finish() { events.append(last) }
        return events.map { $0.name + "|" + String(decoding: $0.content, as: UTF8.self) }
    }

    @Test(arguments: [
        ("data: a\n\ndata: b\n\n", ["|a", "|b"]),
        ("data: a\r\n\r\ndata: b\r\n\r\n", ["|a", "|b"]),
        ("data: a\r\rdata: b\r\r", ["|a", "|b"]),
        (": ping\n\n:\n\ndata: a\n\n", ["|a"]),
        ("data: a\ndata: b\n\n", ["|a\nb"]),
        ("data:a\n\n", ["|a"]),
        ("data:  a\n\n", ["| a"]),
        ("data\n\n", ["|"]),
        ("event: error\ndata: a\n\ndata: b\n\n", ["error|a", "|b"]),
        ("id: 4\nretry: 10\ndata: a\n\n", ["|a"]),
        ("\u{FEFF}data: a\n\n", ["|a"]),
        ("data: a\n\ndata: b", ["|a", "|b"]),
        ("data: a\n\nevent: x\n\n", ["|a"]),
        ("\n\n\n", []),
        ("", []),
        ("data: é😀\n\n", ["|é😀"]),
    ])
    func anEventEndsAtAnEmptyLine(_ text: String, _ expected: [String]) throws {
        #expect(try Self.events(text) == expected)
        // The same bytes one by one.
        #expect(try Self.events(text, cutAt: text.utf8.map { _ in 1 }) == expected)
    }

    @Test(arguments: 0..<50)
    func cutsMakeNoDifference(_ seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        let parts = [
            "data: ", "data:", "\n", "\r\n", "\r", ":", "é", "{\"a\": 1}", "event: e", " ",
        ]
        let text = (0..<60).map { _ in parts.randomElement(using: &numbers) ?? "" }.joined()
        let sizes = (0..<30).map { _ in Int.random(in: 0...9, using: &numbers) }
        #expect(try Self.events(text) == Self.events(text, cutAt: sizes), "seed \(seed)")
    }

    @Test(arguments: 0..<30)
    func noBytesBreakIt(_ seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        let alphabet: [UInt8] = [0, 10, 13, 32, 58, 100, 97, 116, 255, 0xC3, 0xEF, 0xBB, 0xBF, 91]
        var reading = AnswerReading()
        for step in 0..<100 {
            let bytes = (0..<Int.random(in: 0...20, using: &numbers)).map { _ in
                alphabet.randomElement(using: &numbers) ?? 0
            }
            reading.take(bytes, at: .milliseconds(step))
        }
        #expect(reading.end(at: .seconds(1)) == .seconds(1))
        #expect(reading.failure != nil)
        #expect(reading.emissions.isEmpty)
    }

    @Test func anEventWithoutAnEndIsRefusedBeforeItFillsTheMemory() throws {
        var parser = EventStreamParser()
        #expect(throws: (any Error).self) {
            for _ in 0..<1_100 { _ = try parser.push([UInt8](repeating: 97, count: 1_024)) }
        }
    }
}
