internal import Foundation
public import SkeinCore

/// The hosts that Slurm has given to a job, and which of them this task is on.
public struct SlurmAllocation: Equatable, Sendable {
    /// Names of the hosts, in Slurm's order, which is the same on all of them.
    public let hostNames: [String]

    /// This task's host among them; 0 is the head.
    public let index: Int

    /// Cores that the job has on each host.
    public let coreCount: Int

    /// Bytes of memory that the job has on each host; `nil` where it has no limit.
    public let memoryBytes: Int?

    /// Reads what Slurm tells a task of its place.
    ///
    /// - Parameter expand: gives the host names of a list such as `node[1-4]`.
    /// - Throws: a `Refusal` that names the variable and what to ask Slurm for.
    public init(
        environment: [String: String],
        expand: (String) throws(Refusal) -> [String] = SlurmAllocation.expanded
    ) throws(Refusal) {
        func text(_ name: String) throws(Refusal) -> String {
            guard let text = environment[name], !text.isEmpty else {
                throw Refusal(
                    name, "is not set, expected 'srun skein up --slurm' in a Slurm allocation")
            }
            return text
        }
        func number(_ name: String, _ range: ClosedRange<Int>) throws(Refusal) -> Int {
            let text = try text(name)
            guard let number = Int(text), range.contains(number) else {
                throw Refusal(
                    name, "found '\(text)', expected \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        hostNames = try expand(try text("SLURM_JOB_NODELIST"))
        guard !hostNames.isEmpty, hostNames.count <= Limits.nodesMax else {
            throw Refusal(
                "SLURM_JOB_NODELIST",
                "names \(hostNames.count) hosts, expected 1 to \(Limits.nodesMax)")
        }
        let nodeIndex = try number("SLURM_NODEID", 0...(hostNames.count - 1))
        let taskNumber =
            try environment["SLURM_PROCID"] == nil
            ? nodeIndex : number("SLURM_PROCID", 0...1_000_000)
        guard taskNumber == nodeIndex else {
            throw Refusal(
                "SLURM_PROCID",
                "is \(taskNumber) on host \(nodeIndex), expected one task a host: "
                    + "--ntasks-per-node=1")
        }
        index = nodeIndex
        let cores = try number("SLURM_CPUS_ON_NODE", 1...Limits.threadsMax)
        coreCount = cores
        let megabytesMax = 1 << 30
        func bytes(_ name: String) throws(Refusal) -> Int? {
            guard environment[name] != nil else { return nil }
            let megabytes = try number(name, 0...megabytesMax)
            // Slurm says 0 where a job has all of the memory.
            return megabytes == 0 ? nil : megabytes << 20
        }
        if let whole = try bytes("SLURM_MEM_PER_NODE") {
            memoryBytes = whole
        } else {
            memoryBytes = try bytes("SLURM_MEM_PER_CPU").map { $0 * cores }
        }
    }

    /// The names of a list, as `scontrol show hostnames` gives them.
    public static func expanded(_ list: String) throws(Refusal) -> [String] {
        let subject = "scontrol show hostnames"
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["scontrol", "show", "hostnames", list]
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        let bytes: Data
        do {
            try process.run()
            bytes = try output.fileHandleForReading.read(upToCount: 1 << 20) ?? Data()
        } catch {
            throw Refusal(subject, "cannot be run: \(error.localizedDescription)")
        }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Refusal(
                subject, "ended with status \(process.terminationStatus); is Slurm installed here?")
        }
        return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
            .map(String.init)
    }
}
