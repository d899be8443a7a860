import SkeinCore
import SkeinWire
import Testing

@testable import SkeinStage

@Suite struct CombineWaitsTests {
    private static let key = CombineWaits.Key(
        microBatch: MicroBatchID(rawValue: 4), layer: LayerIndex(2))

    private static func combine(_ rows: Int, _ byte: UInt8 = 1, layer: Int = 2) -> Combine {
        Combine(
            microBatch: key.microBatch, layer: LayerIndex(layer),
            outcome: .outputs(
                TensorFrame(
                    .bf16, rows: rows, columns: 3,
                    bytes: [UInt8](repeating: byte, count: rows * 6))))
    }

    private static func open() -> CombineWaits {
        let waits = CombineWaits(columnCount: 3)
        waits.open(key, expecting: ["x": 2, "y": 1])
        return waits
    }

    @Test func aStepGoesOnWhenEveryHostHasAnswered() async throws {
        let waits = Self.open()
        async let arrived = waits.wait(for: Self.key)
        try waits.deliver(Self.combine(1, 7), from: "y")
        try waits.deliver(Self.combine(2, 9), from: "x")
        let outputs = try await arrived.outputs
        #expect(outputs == ["x": [UInt8](repeating: 9, count: 12), "y": [7, 7, 7, 7, 7, 7]])
    }

    @Test func answersMayBeThereBeforeTheStepWaits() async throws {
        let waits = Self.open()
        try waits.deliver(Self.combine(2), from: "x")
        try waits.deliver(Self.combine(1), from: "y")
        #expect(try await waits.wait(for: Self.key).outputs.count == 2)
    }

    @Test func whatNobodyWaitsForIsRefused() throws {
        let waits = Self.open()
        #expect(throws: Refusal.self) { try waits.deliver(Self.combine(2, layer: 3), from: "x") }
        #expect(throws: Refusal.self) { try waits.deliver(Self.combine(2), from: "z") }
        #expect(throws: Refusal.self) { try waits.deliver(Self.combine(1), from: "x") }
        try waits.deliver(Self.combine(2), from: "x")
        #expect(throws: Refusal.self) { try waits.deliver(Self.combine(2), from: "x") }
    }

    @Test func aRefusalOfOneHostEndsTheWait() async {
        let waits = Self.open()
        let refused = Combine(
            microBatch: Self.key.microBatch, layer: Self.key.layer,
            outcome: .refused(reason: "no such expert"))
        #expect(throws: Never.self) { try waits.deliver(refused, from: "y") }
        let refusal = await #expect(throws: Refusal.self) { try await waits.wait(for: Self.key) }
        #expect(refusal?.description == "expert host y: no such expert")
    }

    @Test func aClosedDeskLetsEverybodyGo() async {
        let waits = Self.open()
        let waiting = Task { () -> Bool in
            do throws(Refusal) { _ = try await waits.wait(for: Self.key) } catch { return true }
            return false
        }
        waits.close()
        #expect(await waiting.value)
    }
}
