internal import CSkeinKernels

/// The instructions that the kernels are written for; all give the same bits.
public enum InstructionSet: Int32, Sendable, CaseIterable, Comparable {
    /// Plain C: the meaning of every kernel, and what other processors run.
    case scalar = 0
    /// AVX2 with FMA.
    case avx2 = 1
    /// AVX-512 F, BW, VL, DQ, VBMI and BF16.
    case avx512 = 2

    /// Orders them by width.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Which kernels run.
public enum Kernels {
    /// The best here, unless `SKEIN_ISA` (scalar, avx2, avx512) asks for a lesser one.
    public static var chosen: InstructionSet {
        InstructionSet(rawValue: skein_isa_chosen()) ?? .scalar
    }

    /// Those that this processor can run, narrowest first.
    public static var supported: [InstructionSet] {
        InstructionSet.allCases.filter { skein_isa_supported($0.rawValue) }
    }
}
