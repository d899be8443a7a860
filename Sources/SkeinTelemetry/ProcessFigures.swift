internal import Foundation

/// What the system says of this process; `nil` for what it does not say.
public struct ProcessFigures: Equatable, Sendable {
    /// When the process started, in seconds since 1970.
    public var startSeconds: Double?
    /// Seconds of CPU time that all its threads have used.
    public var cpuSeconds: Double?
    /// Bytes in memory.
    public var residentBytes: Int?
    /// Bytes of address space.
    public var virtualBytes: Int?
    /// Open file descriptors.
    public var openFileCount: Int?
    /// Descriptors that it may open.
    public var openFilesMax: Int?

    /// Nothing is known yet.
    public init() {}

    /// Reads the present state.
    ///
    /// - Parameter root: where the system tells of processes.
    public static func now(root: String = "/proc") -> ProcessFigures {
        var figures = ProcessFigures()
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        // The name before the last parenthesis may hold anything; the third field follows it.
        let stat = text(root + "/self/stat")
        let fields = stat.lastIndex(of: ")").map {
            stat[stat.index(after: $0)...].split(whereSeparator: \.isWhitespace)
        }
        func field(_ number: Int) -> Int? {
            guard let fields, fields.indices.contains(number - 3) else { return nil }
            return Int(fields[number - 3]).flatMap { $0 >= 0 ? $0 : nil }
        }
        if ticks > 0, let user = field(14), let system = field(15) {
            figures.cpuSeconds = (Double(user) + Double(system)) / ticks
        }
        if ticks > 0, let start = field(22), let boot = number("btime", in: root + "/stat") {
            figures.startSeconds = Double(boot) + Double(start) / ticks
        }
        figures.virtualBytes = field(23)
        figures.residentBytes = field(24).flatMap { pages in
            let (bytes, overflows) = pages.multipliedReportingOverflow(
                by: sysconf(Int32(_SC_PAGESIZE)))
            return overflows ? nil : bytes
        }
        do {
            // One of them reads the folder.
            let files = try FileManager.default.contentsOfDirectory(atPath: root + "/self/fd")
            figures.openFileCount = max(0, files.count - 1)
        } catch {
            // A system that does not say is not an error.
        }
        figures.openFilesMax = number("Max open files", in: root + "/self/limits")
        return figures
    }

    /// The first number behind a name at the beginning of a line.
    private static func number(_ name: String, in path: String) -> Int? {
        let line = text(path).split(separator: "\n").first { $0.hasPrefix(name + " ") }
        return line?.dropFirst(name.count).split(separator: " ").first.flatMap { Int($0) }
    }

    private static func text(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }
}
