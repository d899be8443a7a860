import ArgumentParser
import Foundation
import SkeinBench
import SkeinCluster
import SkeinCore
import SkeinTensor

/// Measures every kernel in a model's shapes.
struct BenchKernels: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Measures every kernel in a model's shapes, beside the limits of the same run "
            + "and OpenBLAS.")

    @OptionGroup var model: ModelOption

    @Option(help: "A config.json whose shapes are measured, in place of a model's.")
    var config: String?

    @Option(help: "Compute threads (default: all cores).")
    var threads: Int?

    @OptionGroup var required: BenchThresholdOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads: expected 1 to 1024, found \(threads)")
        }
        guard config == nil || model.path == nil else {
            throw ValidationError("--config: not together with --model")
        }
    }

    func run() async throws {
        let path = try config ?? model.folder() + "/config.json"
        let shape = try ModelConfiguration(json: TextFile.bytes(path), subject: path)
        let bounds = try required.bounds()
        let pool = ComputePool(threadCount: threads ?? ClusterLayout.coreCount)
        let (report, misses) = try await bounds.measure { _ in try measure(shape, on: pool) }
        if json { try Console.json(report) }
        try bounds.check(misses)
    }

    /// Measures once; prints each line as it is known, unless one object is wanted.
    private func measure(
        _ shape: ModelConfiguration, on pool: ComputePool
    ) throws -> KernelReport {
        let bench = KernelBench(shape, on: pool)
        if !json { try Console.standardOutput(KernelReport.Line.heading + "\n") }
        var trouble: Refusal?
        let report = try bench.run { line in
            guard !json, trouble == nil else { return }
            do throws(Refusal) {
                try Console.standardOutput(line.text + "\n")
            } catch { trouble = error }
        }
        if let trouble { throw trouble }
        if !json { try Console.standardOutput(report.text) }
        return report
    }
}

extension KernelReport.Line {
    /// The columns of ``text``.
    static let heading =
        "kernel     format  weight          rows        µs     GB/s  GFLOP/s  of limit  OpenBLAS µs"

    /// The line for people.
    var text: String {
        kernel.padded(to: 11) + format.padded(to: 8) + "\(rows) x \(columns)".padded(to: 16)
            + "\(count)".padded(to: 5)
            + String(
                format: "%9.1f %8.2f %8.1f %8.1f %%", microseconds, bytesPerSecond / 1e9,
                flopsPerSecond / 1e9, shareOfLimit * 100)
            + (openblasMicroseconds.map { String(format: " %12.1f", $0) } ?? "")
    }
}

extension KernelReport {
    /// The limits, for people.
    var text: String {
        String(
            format: "limits: %.1f GB/s; GFLOP/s: %.1f F32, %.1f BF16, %.1f INT8 (%@, %d threads)\n",
            readBandwidthBytesPerSecond / 1e9, multiplyAddPeakFlops.f32 / 1e9,
            multiplyAddPeakFlops.bf16 / 1e9, multiplyAddPeakFlops.int8 / 1e9, isa,
            threads)
    }
}
