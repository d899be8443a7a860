import SkeinCore
import Testing

@testable import SkeinWire

/// SplitMix64: small, seeded, the same everywhere.
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

@Suite struct FuzzTests {
    /// Whatever is done to the bytes, reading them ends in an error or in a message that can be
    /// packed and read again; it never traps.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func mutatedMessagesNeverTrap(seed: UInt64) throws {
        var numbers = SeededNumbers(state: seed)
        let samples = try Samples.all.map { try $0.packed() }
        var acceptedCount = 0
        for round in 0..<5_000 {
            var frames = samples[Int.random(in: 0..<samples.count, using: &numbers)]
            let other = samples[Int.random(in: 0..<samples.count, using: &numbers)][0].bytes
            var bytes = frames[0].bytes
            for _ in 0..<Int.random(in: 1...4, using: &numbers) {
                mutate(&bytes, with: other, &numbers)
            }
            frames[0] = Frame(bytes)
            do throws(WireError) {
                let envelope = try Envelope(parsing: frames, from: "seed \(seed)")
                let again = try Envelope(parsing: try envelope.packed(), from: "seed \(seed)")
                #expect(again == envelope, "seed \(seed), round \(round)")
                acceptedCount += 1
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
        // Some mutations only change a number; if none were accepted, the test tests nothing.
        #expect(acceptedCount > 50, "seed \(seed)")
    }

    @Test func randomBytesNeverTrap() {
        var numbers = SeededNumbers(state: 99)
        for _ in 0..<5_000 {
            let count = Int.random(in: 1...200, using: &numbers)
            var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &numbers) }
            if Bool.random(using: &numbers) { bytes = Raw.version.bytes + bytes }
            _ = #expect(throws: WireError.self) {
                try Envelope(parsing: [Frame(bytes)], from: "test")
            }
        }
    }

    private func mutate(
        _ bytes: inout [UInt8], with other: [UInt8], _ numbers: inout SeededNumbers
    ) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: 0..<bytes.count, using: &numbers)
        let end = Int.random(in: place..<bytes.count, using: &numbers)
        switch Int.random(in: 0..<8, using: &numbers) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &numbers)
        case 1: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &numbers) ?? 0
        case 2: bytes.removeSubrange(place...)
        case 3: bytes.removeSubrange(place...end)
        case 4: bytes.insert(contentsOf: bytes[place...end], at: place)
        case 5: bytes.insert(UInt8.random(in: 0...255, using: &numbers), at: place)
        case 6: bytes.append(contentsOf: other.dropFirst(2))
        default:
            let from = Int.random(in: 0..<other.count, using: &numbers)
            bytes.insert(contentsOf: other[from...].prefix(16), at: place)
        }
    }
}
