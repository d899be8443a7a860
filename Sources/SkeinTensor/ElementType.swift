/// How one number is stored.
public enum ElementType: String, Hashable, Sendable, CaseIterable {
    /// IEEE double precision.
    case f64 = "F64"
    /// IEEE single precision.
    case f32 = "F32"
    /// IEEE half precision.
    case f16 = "F16"
    /// The upper half of a single.
    case bf16 = "BF16"
    /// Eight bits: 1 sign, 4 exponent, 3 mantissa; no infinities.
    case f8e4m3 = "F8_E4M3"
    /// Eight bits of exponent: 2^(byte - 127).
    case f8e8m0 = "F8_E8M0"
    /// Signed 64-bit integer.
    case i64 = "I64"
    /// Signed 32-bit integer.
    case i32 = "I32"
    /// Signed 16-bit integer.
    case i16 = "I16"
    /// Signed byte.
    case i8 = "I8"
    /// Unsigned byte.
    case u8 = "U8"
    /// A byte that is 0 or 1.
    case bool = "BOOL"

    /// Finds the type by the name that safetensors files use.
    public init?(safetensorsName name: String) { self.init(rawValue: name) }

    /// The name that safetensors files use.
    public var safetensorsName: String { rawValue }

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .f64, .i64: 8
        case .f32, .i32: 4
        case .f16, .bf16, .i16: 2
        case .f8e4m3, .f8e8m0, .i8, .u8, .bool: 1
        }
    }
}
