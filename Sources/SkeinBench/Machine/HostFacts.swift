import Foundation

/// The machine on which something was measured.
struct HostFacts: Equatable, Sendable {
    let name: String
    /// The processor's name; `nil` where the system does not tell.
    let processor: String?
    let coreCount: Int

    /// What the system tells of this machine.
    static func read() -> HostFacts {
        let process = ProcessInfo.processInfo
        return HostFacts(
            name: process.hostName,
            processor: processorName(in: FileManager.default.contents(atPath: "/proc/cpuinfo")),
            coreCount: process.activeProcessorCount)
    }

    /// The first `model name` of Linux's list of processors.
    static func processorName(in list: Data?) -> String? {
        let lines = String(decoding: list ?? Data(), as: UTF8.self).split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix("model name") }),
            let value = line.split(separator: ":", maxSplits: 1).dropFirst().first
        else { return nil }
        return value.trimmingCharacters(in: .whitespaces)
    }
}
