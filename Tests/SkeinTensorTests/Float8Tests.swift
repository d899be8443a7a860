import SkeinTensor
import Testing

@Suite struct Float8Tests {
    struct Vectors: Decodable {
        struct Encoding: Decodable {
            let x: Float
            let code: UInt8
        }
        struct Tile: Decodable {
            let x: [Float]
            let scale: Float
            let codes: [UInt8]
            let scaleUe8m0: Float
            let codesUe8m0: [UInt8]
            enum CodingKeys: String, CodingKey {
                case x, scale, codes
                case scaleUe8m0 = "scale_ue8m0"
                case codesUe8m0 = "codes_ue8m0"
            }
        }
        let decode: [Float?]
        let encode: [Encoding]
        let tiles: [Tile]
    }

    let vectors: Vectors

    init() throws { vectors = try Fixture.vectors("fp8_e4m3.json", as: Vectors.self) }

    @Test func everyCodeDecodesToItsNumber() {
        #expect(vectors.decode.count == 256)
        for (code, expected) in vectors.decode.enumerated() {
            let value = Float8.decode(UInt8(code))
            if let expected {
                #expect(value.bitPattern == expected.bitPattern, "code \(code)")
            } else {
                #expect(value.isNaN, "code \(code)")
            }
        }
    }

    @Test func everyNumberOfTheFormatEncodesToItsCode() {
        for code in UInt8.min...UInt8.max where code & 0x7F != 0x7F {
            #expect(Float8.encode(Float8.decode(code)) == code)
        }
        #expect(Float8.encode(.nan) & 0x7F == 0x7F)
        #expect(Float8.encode(.infinity) == 0x7E)
        #expect(Float8.encode(-.infinity) == 0xFE)
    }

    @Test func encodingRoundsToNearestEvenAndClamps() {
        for example in vectors.encode {
            #expect(Float8.encode(example.x) == example.code, "\(example.x)")
        }
    }

    @Test func activationTilesTakeTheirScaleFromTheirLargestNumber() {
        for tile in vectors.tiles {
            let plain = Float8.quantize(tile.x, scale: .float32)
            #expect(plain.scale == tile.scale)
            #expect(plain.codes == tile.codes)
            let power = Float8.quantize(tile.x, scale: .powerOfTwo)
            #expect(power.scale == tile.scaleUe8m0)
            #expect(power.codes == tile.codesUe8m0)
        }
    }

    @Test func scaleBytesAreExponents() {
        #expect(Float8.decodeScale(127) == 1)
        #expect(Float8.decodeScale(130) == 8)
        #expect(Float8.decodeScale(0) == 0x1p-127)
        #expect(Float8.decodeScale(255).isNaN)
    }
}
