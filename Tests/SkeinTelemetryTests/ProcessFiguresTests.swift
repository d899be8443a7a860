import Foundation
import SkeinTelemetry
import Testing

@Suite struct ProcessFiguresTests {
    /// A tree of files such as the system's own.
    private static func root(_ files: [String: String], openCount: Int? = nil) throws -> String {
        let root = FileManager.default.temporaryDirectory.appending(
            path: "skein-proc-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: root.appending(path: "self"), withIntermediateDirectories: true)
        for (path, text) in files { try Data(text.utf8).write(to: root.appending(path: path)) }
        for number in 0..<(openCount ?? 0) {
            let folder = root.appending(path: "self/fd")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data().write(to: folder.appending(path: "\(number)"))
        }
        return root.path(percentEncoded: false)
    }

    /// Fields 3 to 24 behind a name that holds what could mislead a reader.
    private static let stat =
        "42 (a) name (b) S 1 42 42 0 -1 0 0 0 0 0 250 50 0 0 20 0 4 0 1000 4096000 100\n"

    @Test func whatTheSystemSaysIsRead() throws {
        let root = try Self.root(
            [
                "self/stat": Self.stat, "stat": "cpu 1 2 3\nbtime 1700000000\nprocesses 7\n",
                "self/limits": "Limit  Soft Limit  Hard Limit  Units\n"
                    + "Max open files            1024                 524288               files\n",
            ], openCount: 6)
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        let figures = ProcessFigures.now(root: root)
        #expect(figures.cpuSeconds == 300 / ticks)
        #expect(figures.startSeconds == 1_700_000_000 + 1_000 / ticks)
        #expect(figures.virtualBytes == 4_096_000)
        #expect(figures.residentBytes == 100 * sysconf(Int32(_SC_PAGESIZE)))
        #expect(figures.openFileCount == 5 && figures.openFilesMax == 1_024)
        try FileManager.default.removeItem(atPath: root)
    }

    @Test(arguments: [
        [:], ["self/stat": ""], ["self/stat": "42 (a"], ["self/stat": "42 (a) S 1"],
        ["self/stat": "42 (a) S" + String(repeating: " x", count: 30)],
        ["self/stat": "42 (a) S" + String(repeating: " -7", count: 30)],
        ["stat": "btime", "self/limits": "Max open files unlimited unlimited files"],
    ])
    func whatItDoesNotSayIsAbsent(files: [String: String]) throws {
        let root = try Self.root(files)
        #expect(ProcessFigures.now(root: root) == ProcessFigures())
        try FileManager.default.removeItem(atPath: root)
    }

    @Test func thisProcessHasFigures() throws {
        let figures = ProcessFigures.now()
        let start = try #require(figures.startSeconds)
        #expect(start > 1_600_000_000 && start < Date().timeIntervalSince1970 + 1)
        #expect(try #require(figures.residentBytes) > 1 << 20)
        #expect(try #require(figures.openFileCount) > 2)
        #expect(try #require(figures.openFilesMax) >= 256)
    }
}
