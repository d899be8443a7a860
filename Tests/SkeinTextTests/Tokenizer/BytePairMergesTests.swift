import SkeinCore
import Testing

@testable import SkeinText

@Suite struct BytePairMergesTests {
    @Test func theHeapMergesAsThePlainSearchDoes() throws {
        let bytes = try SmallFile.read(Golden.goslingTokenizer, bytesMax: 1 << 24)
        let merges = try TokenizerFile(parsing: bytes, file: "tokenizer.json").merges()
        var workspace = BytePairMerges.Workspace()
        var numbers = SeededNumbers(seed: 7)
        for _ in 0..<400 {
            let count = Int.random(in: 0...90, using: &numbers)
            let letters = Array("aeintsr  the".utf8)
            let piece = (0..<count).map { _ in letters[Int.random(in: 0..<12, using: &numbers)] }
            var plain: [TokenID] = []
            var heaped: [TokenID] = []
            merges.encodePlainly(piece[...], into: &plain, workspace: &workspace)
            merges.encodeWithHeap(piece[...], into: &heaped, workspace: &workspace)
            #expect(plain == heaped)
        }
    }

    /// One piece of a million bytes would take hours if its cost grew with the square.
    @Test(arguments: ["a", " ", "7", "ab", "\n", "é", "一", "!", "e ", "\u{301}"])
    func aVeryLongPieceIsEncoded(unit: String) throws {
        let tokenizer = try Golden.gosling()
        let text = String(repeating: unit, count: TestSizes.long / unit.utf8.count)
        let tokens = tokenizer.encode(text, matchingAddedTokens: false)
        let decoded = tokenizer.decode(tokens, skippingSpecialTokens: false)
        #expect(decoded.exact == text.exact)
        #expect(tokens.count <= text.utf8.count)
    }
}
