import SkeinWeights
import Testing

@Suite struct AttentionCostTests {
    @Test func withoutAnIndexerEveryPositionIsAttendedTo() throws {
        let model = try ModelArithmeticTests.arithmetic("DeepSeek-V3")
        let cost = AttentionCost(model)
        #expect(cost.bytes(rowCount: 2, positionSum: 20_000) == 20_000 * 70_272)
        #expect(cost.flops(rowCount: 2, positionSum: 20_000) == 20_000 * 61 * 278_528)
        #expect(cost.promptFlops(rowCount: 3) == 6 * 61 * 278_528)
    }

    /// Specification section 6.4: 16,384 operations for each position and layer.
    @Test func rowsWithManyPositionsReadTheirKeysAndTheLatentsOfSome() throws {
        let model = try ModelArithmeticTests.arithmetic("DeepSeek-V3.2")
        let cost = AttentionCost(layerOf: model)
        #expect(cost.keptCount == 2_048 && cost.indexKeyFlops == 16_384)
        #expect(cost.bytes(rowCount: 2, positionSum: 4_096) == 4_096 * 1_152)
        #expect(
            cost.bytes(rowCount: 2, positionSum: 20_000) == 4_096 * 1_152 + 20_000 * 256)
        #expect(
            cost.flops(rowCount: 2, positionSum: 20_000) == 4_096 * 278_528 + 20_000 * 16_384)
    }

    @Test func aPromptIsSparseFromTheFirstRowThatSelects() throws {
        let model = try ModelArithmeticTests.arithmetic("DeepSeek-V3.2")
        let cost = AttentionCost(layerOf: model)
        let dense = 2_048.0 * 2_049 / 2 * 278_528
        #expect(cost.promptFlops(rowCount: 2_048) == dense)
        #expect(cost.promptFlops(rowCount: 2_049) == dense + 2_048 * 278_528 + 2_049 * 16_384)
    }
}
