import Foundation

/// The program that `cluster/fuzz` builds: libFuzzer around one target.
///
/// The target's name is in the environment, as libFuzzer starts this program again with arguments
/// of its own when it makes a finding smaller.
@main enum FuzzDriver {
    /// The target that `SKEIN_FUZZ_TARGET` names.
    private static let target: FuzzTarget = {
        let name = ProcessInfo.processInfo.environment["SKEIN_FUZZ_TARGET"] ?? ""
        guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
            let names = FuzzTarget.all.map(\.name).joined(separator: " ")
            print(name.isEmpty ? names : "there is no target '\(name)', only \(names)")
            exit(name.isEmpty ? 0 : 2)
        }
        return target
    }()

    static func main() {
        _ = target
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        let result = runDriver(&count, &arguments) { start, count in
            FuzzDriver.run(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
        exit(result)
    }

    private static func run(_ bytes: [UInt8]) {
        do {
            try target.read(bytes)
        } catch let broken as BrokenPromise {
            fatalError("target \(target.name): \(broken)")
        } catch {
            // A refusal; that it can be said in a line is a promise too.
            precondition(!"\(error)".contains("\n"), "a refusal of several lines: \(error)")
        }
    }
}

/// libFuzzer's own entry, in `libclang_rt.fuzzer_no_main`.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32
