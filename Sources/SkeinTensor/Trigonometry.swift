#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The system's double-precision functions, behind names of our own.
///
/// They are right to within one unit of a double's last place on every system, so their F32
/// roundings agree but for cases of about one in 2^28.
enum Trigonometry {
    static func cosine(_ angle: Double) -> Double { cos(angle) }
    static func sine(_ angle: Double) -> Double { sin(angle) }
}
