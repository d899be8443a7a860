internal import CSkeinKernels
public import SkeinCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The instructions that the kernels are written for; all give the same bits.
///
/// The cases' names are those that `SKEIN_ISA` takes.
public enum InstructionSet: Int32, Sendable, CaseIterable, Comparable {
    /// Plain C: the meaning of every kernel, and what other processors run.
    case scalar = 0
    /// AVX2 with FMA; INT8 by AVX-VNNI where it is there.
    case avx2 = 1
    /// AVX-512 F, BW, VL and DQ; INT8 by VNNI where it is there.
    case avx512 = 2
    /// AVX-512 with VBMI, VNNI and BF16.
    case avx512bf16 = 3
    /// BF16 and INT8 tiles beside AVX-512.
    case amx = 4

    /// Orders them by width.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Which kernels run.
public enum Kernels {
    /// The best here, unless `SKEIN_ISA` asks for others.
    ///
    /// - Precondition: ``checkChoice()`` threw nothing.
    public static let chosen: InstructionSet = {
        do { return try asked() ?? best } catch { preconditionFailure("\(error)") }
    }()

    /// Refuses a `SKEIN_ISA` that is no name of an instruction set, or whose instructions this
    /// machine lacks.
    public static func checkChoice() throws(Refusal) { _ = try asked() }

    /// Those that this processor can run, narrowest first.
    public static var supported: [InstructionSet] {
        InstructionSet.allCases.filter { skein_isa_supported($0.rawValue) }
    }

    private static var best: InstructionSet {
        InstructionSet(rawValue: skein_isa_best()) ?? .scalar
    }

    private static func asked() throws(Refusal) -> InstructionSet? {
        guard let name = getenv("SKEIN_ISA").map({ String(cString: $0) }), !name.isEmpty else {
            return nil
        }
        let names = InstructionSet.allCases.map { "\($0)" }.joined(separator: ", ")
        guard let set = InstructionSet.allCases.first(where: { "\($0)" == name }) else {
            throw Refusal("SKEIN_ISA", "is '\(name)', expected one of \(names)")
        }
        guard supported.contains(set) else {
            let here = supported.map { "\($0)" }.joined(separator: ", ")
            throw Refusal("SKEIN_ISA", "is '\(name)', but this machine can run only \(here)")
        }
        return set
    }
}
