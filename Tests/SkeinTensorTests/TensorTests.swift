import SkeinTensor
import Testing

@Suite struct TensorTests {
    @Test func resizingKeepsTheCapacityAndTheWidth() {
        let tensor = Tensor(rows: 4, columns: 3)
        tensor.resize(rows: 2)
        #expect(tensor.rowCount == 2 && tensor.count == 6)
        tensor.resize(rows: 9)
        tensor.fill(2)
        #expect(tensor.values() == [Float](repeating: 2, count: 27))
    }

    @Test func bfloat16TravelsUnchanged() {
        let tensor = Fixture.tensor(rows: 3, columns: 7, seed: 1)
        tensor[1, 1] = .infinity
        tensor.roundToBFloat16()
        let copy = Tensor(rows: 3, columns: 7)
        let bytes = MappedBytes(owning: tensor.packedBFloat16())
        bytes.withBytes { copy.load(bfloat16: $0) }
        #expect(copy.packedFloat32() == tensor.packedFloat32())
        let full = MappedBytes(owning: tensor.packedFloat32())
        copy.fill(0)
        full.withBytes { copy.load(float32: $0) }
        #expect(copy.values() == tensor.values())
    }

    @Test(
        arguments: [
            (0x3F80_8000, 0x3F80_0000), (0x3F81_8000, 0x3F82_0000), (0x3F80_8001, 0x3F81_0000),
            (0x7F7F_FFFF, 0x7F80_0000), (0x8000_0000, 0x8000_0000), (0x7F80_0001, 0x7FC0_0000),
        ] as [(UInt32, UInt32)])
    func roundingGoesToTheNearestEvenNumber(bits: UInt32, expected: UInt32) {
        let tensor = Tensor([[Float(bitPattern: bits)]])
        tensor.roundToBFloat16()
        #expect(tensor[0, 0].bitPattern == expected)
    }

    @Test func embeddingRowsAreDecodedRows() {
        let weight = Fixture.float8(rows: 20, columns: 30, block: 16)
        let tensor = Tensor(rows: 2, columns: 30)
        tensor.copyRow(1, from: weight, row: 17)
        #expect(tensor.row(1) == weight.decodedRow(17))
        let other = Tensor(rows: 1, columns: 4)
        other.copyRow(0, column: 1, from: tensor, row: 1, columns: 5..<8)
        #expect(Array(other.row(0)[1...]) == Array(tensor.row(1)[5..<8]))
    }

    @Test func elementTypesKnowTheirNames() {
        #expect(ElementType(safetensorsName: "F8_E4M3") == .f8e4m3)
        #expect(ElementType(safetensorsName: "BF16")?.byteCount == 2)
        #expect(ElementType(safetensorsName: "F4") == nil)
    }
}
