import SkeinCore
import SkeinWeights
import Testing

@testable import SkeinPlanning

@Suite struct ModelCostsTests {
    private func deepSeekV3() throws -> ModelCosts {
        ModelCosts(ModelArithmetic(try SampleModel.deepSeekV3()))
    }

    /// 16.2 GB that every step reads, and the experts that some row chose: 8 of 256 for each row,
    /// 44 M each, in 58 layers.
    @Test(arguments: [
        (1.0, 36.6), (2, 56.4), (4, 94.2), (8, 163), (16, 277), (32, 433), (64, 584),
    ])
    func bytesOfAStepGrowWithItsRowsUntilAllExpertsAreRead(
        _ rowCount: Double, _ gigabytes: Double
    ) throws {
        let bytes = try deepSeekV3().weightBytes(rowCount: rowCount)
        #expect(abs(bytes / 1e9 / gigabytes - 1) < 0.035, "\(bytes / 1e9) GB")
    }

    @Test func aVeryLargeStepReadsTheWholeModelButForTheEmbedding() throws {
        let model = try deepSeekV3()
        let whole = model.arithmetic.main.totalBytes - model.arithmetic.embedding.totalBytes
        #expect(abs(model.weightBytes(rowCount: 4_096) / Double(whole) - 1) < 1e-6)
    }

    @Test func operationsOfAStepAreThoseOfItsRows() throws {
        let model = try deepSeekV3()
        let shape = StepShape(rowCount: 1, positionSum: 0, headRowCount: 1)
        let work =
            3 * model.denseLayerWork(shape)
            + 58 * (model.mixtureLayerWork(shape) + model.routedExpertsWork(of: 256, rowCount: 1))
            + model.headWork(rowCount: 1)
        let flops = work.float8Flops + work.bfloat16Flops + work.float32Flops
        #expect(abs(flops / Double(model.arithmetic.flopsPerToken) - 1) < 1e-9)
    }

    @Test func attentionCostsByThePositionsThatRowsSee() throws {
        let model = try deepSeekV3()
        let near = model.denseLayerWork(.decode(rowCount: 2, positionCount: 0))
        let far = model.denseLayerWork(.decode(rowCount: 2, positionCount: 1_000))
        #expect(far.attentionFlops == 2 * 1_000 * 278_528)
        #expect(far.latentBytes == 2 * 1_000 * 1_152)
        let inFP8 = ModelCosts(ModelArithmetic(model.configuration, latents: .fp8))
            .denseLayerWork(.decode(rowCount: 2, positionCount: 1_000))
        #expect(inFP8.latentBytes == 2 * 1_000 * 656)
        #expect(inFP8.attentionFlops == far.attentionFlops)
        #expect(near.attentionFlops == 0 && far.float8Bytes == near.float8Bytes)
    }

    @Test func expertsAreReadAtMostOnceAndServeEveryChoice() throws {
        let model = try deepSeekV3()
        #expect(model.touchedExpertCount(of: 256, rowCount: 1) == 8)
        #expect(model.touchedExpertCount(of: 256, rowCount: 10_000) <= 256)
        #expect(model.chosenRowCount(of: 64, rowCount: 16) == 32)
        // A row goes to a quarter of the experts unless all of its eight choices lie elsewhere.
        let sent = model.sentRowCount(to: 64, rowCount: 100)
        #expect(abs(sent - 100 * (1 - 0.100_112_915)) < 1e-3)
    }

    /// 7,168 numbers: two bytes each, or one and four for each 128.
    @Test func rowsInFP8HaveAboutHalfTheBytes() throws {
        let model = try deepSeekV3()
        #expect(model.rowBytes(.bf16) == 14_336)
        #expect(model.rowBytes(.fp8) == 7_392)
    }

    @Test func tilesAreTakenFromTheRowsOnThatTheyPayFor() {
        let rate = FormatRate(
            weightBytesPerSecond: 20e9, flopsPerSecond: 100e9,
            tiles: .init(weightBytesPerSecond: 5e9, flopsPerSecond: 1_000e9))
        // Two operations a byte and row: 0.15 ns more a byte, 0.018 ns less a row, so from 9 rows.
        func seconds(_ rows: Double) -> Double {
            rate.seconds(bytes: 1e9, flops: 2e9 * rows, readBytesPerSecond: 30e9)
        }
        #expect(abs(seconds(1) - (0.05 + 0.02)) < 1e-9)
        #expect(abs(seconds(100) - (0.2 + 0.2)) < 1e-9)
        let plain = FormatRate(weightBytesPerSecond: 20e9, flopsPerSecond: 100e9)
        func plainSeconds(_ rows: Double) -> Double {
            plain.seconds(bytes: 1e9, flops: 2e9 * rows, readBytesPerSecond: 30e9)
        }
        #expect(seconds(8) == plainSeconds(8) && seconds(9) < plainSeconds(9))
    }

    @Test func ratesAreFoundAgainFromTwoProducts() {
        let truth = FormatRate(weightBytesPerSecond: 5e9, flopsPerSecond: 60e9)
        func seconds(_ rows: Double) -> Double { 1e8 / 5e9 + rows * 2e8 / 60e9 }
        let found = FormatRate(
            byteCount: 1e8, flopsPerRow: 2e8, fewRows: 2, few: seconds(2), manyRows: 64,
            many: seconds(64))
        #expect(abs(found.weightBytesPerSecond / truth.weightBytesPerSecond - 1) < 1e-9)
        #expect(abs(found.flopsPerSecond / truth.flopsPerSecond - 1) < 1e-9)
    }
}
