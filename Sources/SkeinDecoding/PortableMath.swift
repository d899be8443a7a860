/// Exponential and logarithm made of plain multiplications and additions.
///
/// The system's library may round differently from host to host (it chooses code by CPU). A token
/// drawn again on another host must be the same, so its probabilities must be too: these use one
/// order of operations everywhere, and are within two units in the last place.
enum PortableMath {
    /// e to the x, for x up to 0; below -708 it is 0.
    @inline(__always)
    static func exponential(_ x: Double) -> Double {
        guard x > -708 else { return 0 }
        // Adding 1.5 * 2^52 rounds to a whole number, which then lies in the low bits.
        let shifted = x * 1.4426950408889634 + 0x1.8p52
        let power = shifted - 0x1.8p52
        let r = (x - power * 0x1.62E42FEE00000p-1) - power * 0x1.A39EF35793C76p-33
        // Taylor's sum to r^13 / 13!: |r| <= ln 2 / 2, so the next term is below 2^-57.
        var p = 1.0 / 6_227_020_800
        p = p * r + 1.0 / 479_001_600
        p = p * r + 1.0 / 39_916_800
        p = p * r + 1.0 / 3_628_800
        p = p * r + 1.0 / 362_880
        p = p * r + 1.0 / 40_320
        p = p * r + 1.0 / 5_040
        p = p * r + 1.0 / 720
        p = p * r + 1.0 / 120
        p = p * r + 1.0 / 24
        p = p * r + 1.0 / 6
        p = p * r + 0.5
        p = p * r + 1
        p = p * r + 1
        // The low bits of `shifted` are the power in two's complement; it is at least -1022.
        let exponent = (shifted.bitPattern &+ 1023) << 52
        return p * Double(bitPattern: exponent)
    }

    /// ln x, for normal positive x.
    static func logarithm(_ x: Double) -> Double {
        var power = Double(x.exponent)
        var m = x.significand
        if m > 1.4142135623730951 {
            m *= 0.5
            power += 1
        }
        // ln m = 2 artanh s; s^2 < 0.0295, so twelve terms reach the last bit.
        let s = (m - 1) / (m + 1)
        let square = s * s
        var sum = 0.0
        var odd = 25.0
        while odd > 1 {
            sum = (sum + 1 / odd) * square
            odd -= 2
        }
        return power * 0.6931471805599453 + 2 * (s + s * sum)
    }
}
