import Foundation
import Testing

@testable import SkeinDecoding

@Suite struct PortableMathTests {
    @Test func exponentialIsCloseToTheSystemsOwn() {
        for step in 0..<70_000 {
            let x = -Double(step) * 0.0101
            let expected = Foundation.exp(x)
            let found = PortableMath.exponential(x)
            // Two units in the last place.
            #expect(abs(found - expected) <= 2 * expected.ulp, "exp(\(x)) = \(found)")
        }
    }

    @Test(arguments: [(0.0, 1.0), (-708.0, 0.0), (-1e9, 0.0), (-Double.infinity, 0.0)])
    func exponentialKnowsItsEnds(_ x: Double, _ expected: Double) {
        #expect(PortableMath.exponential(x) == expected)
    }

    @Test func logarithmIsCloseToTheSystemsOwn() {
        var x = 1e-300
        while x < 1e300 {
            let expected = Foundation.log(x)
            let found = PortableMath.logarithm(x)
            // Near 1 the sum of two parts loses what they have in common.
            #expect(abs(found - expected) <= max(2 * abs(expected.ulp), 0x1p-52), "ln \(x)")
            x *= 1.0137
        }
        #expect(PortableMath.logarithm(1) == 0)
    }
}
