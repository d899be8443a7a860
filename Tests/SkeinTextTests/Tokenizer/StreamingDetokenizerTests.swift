import SkeinCore
import Testing

@testable import SkeinText

@Suite struct StreamingDetokenizerTests {
    @Test func everyEmissionIsWholeAndTogetherTheyAreTheText() throws {
        let tokenizer = try Golden.gosling()
        let byteTokens = try (0..<256).map { byte -> TokenID in
            try #require(
                (0..<300).map { TokenID($0) }.first { tokenizer.bytes(of: $0) == [UInt8(byte)] })
        }
        // Bytes that begin, go on or break characters, more often than chance would have them.
        let sharp: [UInt8] = [
            0x41, 0x7F, 0x80, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE4, 0xED, 0xEF, 0xF0,
            0xF3,
            0xF4, 0xF5, 0xFF,
        ]
        var numbers = SeededNumbers(seed: 3)
        for _ in 0..<3_000 {
            let bytes = (0..<Int.random(in: 1...7, using: &numbers)).map { _ in
                sharp[Int.random(in: sharp.indices, using: &numbers)]
            }
            let tokens = bytes.map { byteTokens[Int($0)] }
            var stream = StreamingDetokenizer(tokenizer, skippingSpecialTokens: false)
            var parts = tokens.map { stream.push($0) }
            parts.append(stream.finish())
            let whole = tokenizer.decode(tokens, skippingSpecialTokens: false)
            #expect(parts.joined().exact == whole.exact, "\(bytes)")
            #expect(whole.exact == Self.lossy(bytes), "\(bytes)")
        }
    }

    /// The rule written out: each longest beginning of a character that breaks off is one U+FFFD.
    static func lossy(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        var position = 0
        while position < bytes.count {
            var length = 1
            while position + length <= bytes.count {
                let part = Array(bytes[position..<(position + length)])
                if String(validating: part, as: UTF8.self) != nil { break }
                if StreamingDetokenizer.openBytes(part) != length {
                    length = -max(length - 1, 1)
                    break
                }
                length += 1
            }
            if length > 0, position + length <= bytes.count {
                text += bytes[position..<(position + length)]
                position += length
            } else {
                text += "\u{FFFD}".utf8
                position += length < 0 ? -length : length - 1
            }
        }
        return text
    }

    @Test func aCharacterWaitsForItsLastByte() throws {
        let tokenizer = try Golden.gosling()
        var stream = StreamingDetokenizer(tokenizer, skippingSpecialTokens: false)
        let tokens = tokenizer.encode("🙂", matchingAddedTokens: false)
        #expect(tokens.count == 4)
        #expect(tokens.dropLast().map { stream.push($0) } == ["", "", ""])
        #expect(stream.push(try #require(tokens.last)) == "🙂")
        #expect(stream.finish() == "")
    }

    @Test func specialTokensAreSkippedOnDemandAndUnknownNumbersGiveNothing() throws {
        let tokenizer = try Golden.gosling()
        var stream = StreamingDetokenizer(tokenizer, skippingSpecialTokens: true)
        #expect(stream.push(1) == "")
        #expect(stream.push(TokenID(4_095)) == "" && stream.push(TokenID(-1)) == "")
        var all = StreamingDetokenizer(tokenizer, skippingSpecialTokens: false)
        #expect(all.push(1) == "<｜end▁of▁sentence｜>")
        #expect(all.push(TokenID(rawValue: .max)) == "" && all.push(TokenID(rawValue: .min)) == "")
        #expect(!tokenizer.contains(TokenID(100_000)) && tokenizer.contains(1))
    }
}
