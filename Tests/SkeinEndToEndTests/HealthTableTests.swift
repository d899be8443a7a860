import Foundation
import SkeinCore
import SkeinText
import Testing

@testable import skein

/// How `skein health` fits what it shows to where it is shown.
@Suite struct HealthTableTests {
    /// A node of a head's answer, with names as long as they may be where asked.
    private static func node(
        _ name: String, state: String = "ready", role: String = "node", stage: Int? = 0,
        address: String? = "tcp://10.88.0.1:7101", error: String? = nil
    ) -> String {
        let stages = stage.map {
            "{\"index\": \($0), \"layers\": {\"first\": 0, \"last\": 30}}"
        }
        return """
            {"name": "\(name)", "state": "\(state)", "role": "\(role)",
            "stages": [\(stages ?? "")], "address": \(address.map { "\"\($0)\"" } ?? "null"),
            "version": "0.1.0+0123456789ab", "fingerprint": "9e1297d6a4119e1297d6a411",
            "resident_bytes": 88000000000, "pages_used": 123456,
            "step_seconds": {"p50": 0.123, "p99": 0.456}, "rows_per_second": 12345.6,
            "round_trip_seconds": {"smoothed": 0.0004},
            "last_error": \(error.map { "\"\($0)\"" } ?? "null"), "last_error_age_seconds": 3}
            """
    }

    private static func table(_ nodes: [String], name: String = "lab") throws -> ClusterTable {
        let text = """
            {"name": "\(name)", "ready": true, "epoch": 123,
            "nodes": [\(nodes.joined(separator: ","))],
            "pages": {"total": 100000, "owned": 99999},
            "queue": {"running": 1000, "waiting": 2000}, "micro_batches": {"in_flight": 64},
            "head": {"address": "tcp://10.88.0.1:7100", "version": "0.1.0",
            "fingerprint": "9e1297d6a4119e1297d6a411"}}
            """
        return try ClusterTable(
            JSONValue(parsing: Array(text.utf8), subject: "test"),
            from: "http://10.88.0.1:8080")
    }

    @Test(arguments: [
        [node("a"), node("b", state: "dead", address: nil, error: "its connection broke")],
        [node("a", error: String(repeating: "a long sentence ", count: 40))],
        [node("a", error: String(repeating: "x", count: 500))],
        [
            node(
                String(repeating: "n", count: 64),
                address: "tcp://\(String(repeating: "h", count: 200)):7101")
        ],
        [node("s", state: "placed", role: "standby", stage: nil)],
    ])
    func noLineIsLongerThanTheTerminal(nodes: [String]) throws {
        let table = try Self.table(nodes)
        for width in [80, 60, 100, 200] {
            let lines = table.lines(in: TerminalForm(columnCount: width))
            #expect(lines.allSatisfy { $0.count <= width }, "\(lines.joined(separator: "\n"))")
            // Who, what state and where are always there.
            for title in ["NODE", "ROLE", "STATE"] {
                #expect(lines.contains { $0.contains(title) }, "\(lines)")
            }
        }
    }

    @Test func aWideTerminalShowsEveryColumn() throws {
        let lines = try Self.table([Self.node("a")]).lines(in: TerminalForm(columnCount: 200))
        for title in ["SLICE", "ADDRESS", "VERSION", "FINGERPRINT", "PAGES", "STEP", "ROUND TRIP"] {
            #expect(lines.contains { $0.contains(title) }, "\(title)")
        }
        #expect(lines.contains { $0.contains("10.88.0.1:7101") && !$0.contains("tcp://") })
    }

    @Test func eightyColumnsShowTheAddressAndTheMemory() throws {
        let lines = try Self.table([Self.node("a")]).lines(in: TerminalForm())
        let row = try #require(lines.first { $0.hasPrefix("a ") })
        #expect(row.contains("10.88.0.1:7101") && row.contains("88.0 GB"), "\(row)")
    }

    @Test func anErrorStandsBelowItsNode() throws {
        let table = try Self.table([
            Self.node("a"), Self.node("b", error: "its connection broke"), Self.node("c"),
        ])
        let lines = table.lines(in: TerminalForm())
        let place = try #require(lines.firstIndex { $0.hasPrefix("b ") })
        #expect(lines[place + 1] == "  last error, 3.0s ago: its connection broke")
        #expect(lines[place + 2].hasPrefix("c "))
    }

    @Test(arguments: [
        ("placed", "standby", "standby"), ("waiting", "standby", "waiting"),
        ("dead", "standby", "dead"), ("suspect", "standby", "suspect"),
        ("placed", "node", "placed"),
    ])
    func aNodeThatIsThereToStandByIsCalledSo(
        state: String, role: String, shown: String
    ) throws {
        let isStandby = role == "standby"
        let table = try Self.table([
            Self.node("s", state: state, role: role, stage: isStandby ? nil : 0)
        ])
        let lines = table.lines(in: TerminalForm(columnCount: 200))
        let row = try #require(lines.first { $0.hasPrefix("s ") })
        let cells = row.split(separator: " ").map(String.init)
        #expect(cells.contains(shown) && (shown == "placed" || !cells.contains("placed")), "\(row)")
    }

    @Test func onlyAFormWithColourHasColour() throws {
        let table = try Self.table([Self.node("a"), Self.node("b", state: "dead")])
        let plain = table.lines(in: TerminalForm())
        #expect(plain.allSatisfy { !$0.contains("\u{1B}") })
        let coloured = table.lines(in: TerminalForm(isColoured: true))
        #expect(coloured.contains { $0.contains("\u{1B}[32mready\u{1B}[0m") })
        #expect(coloured.contains { $0.contains("\u{1B}[31mdead\u{1B}[0m") })
        // Without the marks it is the same text, so columns stay in place.
        let stripped = coloured.map { $0.replacing(#/\x{1B}\[\d+m/#, with: "") }
        #expect(stripped == plain)
    }

    @Test(arguments: [
        ("", [""]), ("short", ["short"]), ("  kept in", ["  kept in"]),
        ("one two three four", ["one two", "    three", "    four"]),
        ("abcdefghijklmnopqrstu", ["abcdefghijkl", "    mnopqrst", "    u"]),
        ("ab cdefghijklmnop q", ["ab", "    cdefghij", "    klmnop q"]),
    ])
    func aTextIsBrokenBetweenWords(text: String, lines: [String]) {
        #expect(TerminalForm(columnCount: 12).wrapped(text, indentation: 4) == lines)
    }

    @Test(arguments: [
        ("10.0.0.1:8080", "10.0.0.1:7100", "http://10.0.0.1:8080"),
        ("0.0.0.0:8080", "10.0.0.1:7100", "http://10.0.0.1:8080"),
        ("*:8080", "10.0.0.1:7100", "http://10.0.0.1:8080"),
        ("[::]:8080", "[fd00::1]:7100", "http://[fd00::1]:8080"),
        ("0.0.0.0:8080", "head.example:7100", "http://head.example:8080"),
        ("0.0.0.0:80", "127.0.0.1:7100", "http://127.0.0.1:80"),
        ("127.0.0.1:8080", "10.0.0.1:7100", "http://127.0.0.1:8080"),
        ("0.0.0.0:8080", "*:7100", "http://127.0.0.1:8080"),
    ])
    func aHeadThatServesOnEveryAddressIsAskedWhereNodesCallIt(
        http: String, coordinator: String, url: String
    ) throws {
        let address = HeadAddress(
            try TCPAddress(hostAndPort: http), coordinator: try TCPAddress(hostAndPort: coordinator)
        )
        #expect(address.text == url)
    }
}
