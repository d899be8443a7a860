import SkeinCore
import Testing

@Suite struct AllowedTokensTests {
    @Test func whatIsPutInIsInItAndNothingElse() {
        let tokens = [0, 1, 63, 64, 99].map { TokenID($0) }
        let allowed = AllowedTokens(vocabularySize: 100, tokens: tokens)
        #expect(allowed.tokens == tokens && allowed.count == 5 && !allowed.isEmpty)
        #expect((-1...101).filter { allowed.contains(TokenID($0)) } == [0, 1, 63, 64, 99])
        #expect(AllowedTokens(vocabularySize: 100, tokens: []).isEmpty)
        var words = AllowedTokens.noBits(100)
        words[0] = 1 << 63 | 3
        words[1] = 1 | 1 << 35
        #expect(AllowedTokens(vocabularySize: 100, bits: words) == allowed)
    }
}
