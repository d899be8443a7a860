import Foundation
import SkeinCore
import Testing

@testable import SkeinWeights

@Suite("SafetensorsHeader")
struct SafetensorsHeaderTests {
    @Test func tensorsAreFoundWithTheirPlaces() throws {
        let text =
            #"{"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},"#
            + #""a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"#
            + #""z":{"dtype":"U8","shape":[0,7],"data_offsets":[16,16]}}   "#
        let header = try SafetensorsHeader(
            json: Array(text.utf8), fileByteCount: 8 + text.utf8.count + 16, subject: "file")
        let start = 8 + text.utf8.count
        #expect(header.dataStart == start)
        #expect(header.tensors["a"]?.range == start..<(start + 4))
        #expect(header.tensors["b"]?.range == (start + 4)..<(start + 16))
        #expect(header.tensors["b"]?.shape == [2, 3])
        #expect(header.tensors["z"]?.range.isEmpty == true)
    }

    /// Four thousand seeded changes of a real header: a value or a refusal, never a trap.
    @Test func randomDamageNeverTraps() throws {
        let file = Golden.oracle.appendingPathComponent("v2lite/model.safetensors")
        let whole = Array(try Data(contentsOf: file))
        let count = try SafetensorsHeader.jsonByteCount(
            prefix: Array(whole.prefix(8)), fileByteCount: whole.count, subject: "file")
        // A short header of whole entries keeps four thousand parses quick.
        let draft = try Draft()
        let small = Draft.safetensors(draft.shards[Draft.second] ?? [:])
        let smallCount = try SafetensorsHeader.jsonByteCount(
            prefix: Array(small.prefix(8)), fileByteCount: small.count, subject: "file")
        var random = SeededNumbers(state: 5)
        var acceptedCount = 0
        for (bytes, length, rounds) in [(whole, count, 50), (small, smallCount, 4_000)] {
            let json = Array(bytes[8..<(8 + length)])
            for _ in 0..<rounds {
                var damaged = json
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    let place = Int.random(in: damaged.indices, using: &random)
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: damaged[place] = UInt8.random(in: 0...255, using: &random)
                    case 1: damaged[place] = UInt8.random(in: 0x30...0x39, using: &random)
                    case 2: damaged.remove(at: place)
                    default: damaged.insert(damaged[place], at: place)
                    }
                }
                do {
                    let header = try SafetensorsHeader(
                        json: damaged, fileByteCount: bytes.count, subject: "file")
                    for tensor in header.tensors.values {
                        #expect(tensor.range.upperBound <= bytes.count)
                    }
                    acceptedCount += 1
                } catch {
                    #expect(!error.description.contains("\n"))
                }
            }
        }
        #expect(acceptedCount > 0)
    }

    @Test func randomLengthsNeverTrap() {
        var random = SeededNumbers(state: 6)
        for _ in 0..<2_000 {
            let prefix = (0..<Int.random(in: 0...9, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
                    & UInt8.random(in: 0...255, using: &random)
            }
            let byteCount = Int.random(in: 0...100_000, using: &random)
            do {
                let length = try SafetensorsHeader.jsonByteCount(
                    prefix: prefix, fileByteCount: byteCount, subject: "file")
                #expect(length + 8 <= byteCount)
            } catch {
                #expect(error.subject == "file")
            }
        }
    }
}
