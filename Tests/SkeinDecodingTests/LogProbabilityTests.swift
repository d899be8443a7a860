import Foundation
import SkeinCore
import Testing

@testable import SkeinDecoding

@Suite struct LogProbabilityTests {
    @Test func aTargetsLogProbabilityIsThatOfTheSoftmax() throws {
        let logits: [Float] = [1, 3, -2, 0.5, 2]
        let sum = logits.reduce(0) { $0 + Foundation.exp(Double($1)) }
        for token in logits.indices {
            let expected = Float(Double(logits[token]) - Foundation.log(sum))
            let found = try LogProbability.of(TokenID(token), in: logits.span)
            #expect(abs(found - expected) < 1e-6)
        }
    }

    @Test func hugeLogitsDoNotOverflow() throws {
        let logits: [Float] = [3e38, -3e38, 3e38, -.infinity]
        #expect(try LogProbability.of(0, in: logits.span) == Float(-Foundation.log(2.0)))
        #expect(try LogProbability.of(3, in: logits.span) == -.infinity)
    }

    @Test(arguments: [
        ([Float.nan, 0], "logits: token 0 has nan, expected a finite number"),
        ([0, Float.infinity], "logits: token 1 has inf, expected a finite number"),
        ([-Float.infinity, -Float.infinity], "logits: none of 2 is above minus infinity"),
        ([], "target: token 1 is beyond the vocabulary of 0"),
        ([0], "target: token 1 is beyond the vocabulary of 1"),
    ])
    func aRowThatCannotBeReadIsRefused(_ logits: [Float], _ line: String) {
        #expect {
            _ = try LogProbability.of(1, in: logits.span)
        } throws: { error in
            (error as? Refusal)?.description == line
        }
    }
}
