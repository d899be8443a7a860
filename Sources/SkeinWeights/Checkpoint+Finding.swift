import SkeinCore
import SkeinTensor

// What lies in the files decides how a weight is stored: the names of its tensors, their types and
// their shapes. The configuration says only how large the blocks of scales are.
extension Checkpoint {
    /// Finds a tensor and checks its shape and type.
    func find(_ requirement: WeightRequirement) throws(Refusal) -> FoundWeight {
        if requirement.isQuantizable, let packed = try findInt4(requirement) { return packed }
        let tensor = try find(requirement.name, shape: requirement.shape)
        switch tensor.elementType {
        case .f32: return FoundWeight(tensor: tensor, format: .f32)
        case .bf16: return FoundWeight(tensor: tensor, format: .bf16)
        case .f8e4m3 where requirement.isQuantizable:
            return try findScales(of: tensor, requirement)
        default:
            let expected = requirement.isQuantizable ? "F8_E4M3, BF16 or F32" : "BF16 or F32"
            throw Refusal(
                tensor.subject,
                "is stored as \(tensor.elementType.safetensorsName), expected \(expected)")
        }
    }

    private func findScales(
        of tensor: FoundTensor, _ requirement: WeightRequirement
    ) throws(Refusal) -> FoundWeight {
        guard let quantization = configuration.quantization else {
            throw Refusal(
                tensor.subject,
                "is stored as FP8, but config.json has no quantization_config")
        }
        let (rows, columns) = (tensor.storedRowCount, requirement.shape[1])
        let name = requirement.name
        let ending =
            WeightName.scaleEndings.first { location(of: name, ending: $0) != nil }
            ?? WeightName.scaleEndings[0]
        var blocks =
            quantization.float8
            ?? ModelConfiguration.Float8Blocks(
                rowCount: ModelConfiguration.Float8Blocks.whole,
                columnCount: ModelConfiguration.Float8Blocks.whole)
        var shape = WeightRequirement.scaleShape(rows: rows, columns: columns, blocks)
        if let location = index.locations[name + ending] {
            let stored = try self.stored(at: location).1.shape
            if let other = Self.blocks(ofScales: stored, rows: rows), stored != shape {
                (blocks, shape) = (other, stored)
            }
        }
        let scales = try find(name, ending: ending, shape: shape, scalesOf: tensor)
        guard [.f32, .bf16, .f8e8m0, .u8].contains(scales.elementType) else {
            throw Refusal(
                scales.subject,
                "is stored as \(scales.elementType.safetensorsName), expected F32, BF16, F8_E8M0 "
                    + "or U8")
        }
        return FoundWeight(
            tensor: tensor, scales: scales,
            format: .f8Block(rows: blocks.rowCount, columns: blocks.columnCount))
    }

    /// What scales of a shape are for, where that is a whole matrix or each of its rows.
    private static func blocks(
        ofScales shape: [Int], rows: Int
    ) -> ModelConfiguration.Float8Blocks? {
        let whole = ModelConfiguration.Float8Blocks.whole
        if shape.count <= 2, shape.allSatisfy({ $0 == 1 }) {
            return .init(rowCount: whole, columnCount: whole)
        }
        return shape == [rows] || shape == [rows, 1]
            ? .init(rowCount: 1, columnCount: whole) : nil
    }

    /// Finds a weight whose codes are packed into words; `nil` where it has none.
    private func findInt4(_ requirement: WeightRequirement) throws(Refusal) -> FoundWeight? {
        let (name, rows, columns) = (requirement.name, requirement.shape[0], requirement.shape[1])
        guard index.locations[name + WeightName.packedEnding] != nil else { return nil }
        let subject = "\(index.subject): \(name)\(WeightName.packedEnding)"
        guard let groupColumns = configuration.quantization?.int4GroupColumnCount else {
            throw Refusal(subject, "is INT4, but quantization_config does not say in which groups")
        }
        guard !WeightName.isLatentUp(name) else {
            throw Refusal(subject, "is INT4, expected the latents' up-projection in FP8 or BF16")
        }
        guard columns.isMultiple(of: 8) else {
            throw Refusal(subject, "has \(columns) columns of INT4, expected a multiple of 8")
        }
        let codes = try find(name, ending: WeightName.packedEnding, shape: [rows, columns / 8])
        let groups = (columns + groupColumns - 1) / groupColumns
        let scales = try find(
            name, ending: WeightName.packedScaleEnding, shape: [rows, groups], scalesOf: codes)
        var stated: FoundTensor?
        if index.locations[name + WeightName.packedShapeEnding] != nil {
            stated = try find(name, ending: WeightName.packedShapeEnding, shape: [2])
        }
        for (tensor, types) in [
            (codes, [ElementType.i32]), (scales, [.bf16, .f32]), (stated ?? codes, [.i32, .i64]),
        ] where !types.contains(tensor.elementType) {
            let expected = types.map(\.safetensorsName).joined(separator: " or ")
            throw Refusal(
                tensor.subject,
                "is stored as \(tensor.elementType.safetensorsName), expected \(expected)")
        }
        return FoundWeight(
            tensor: codes, scales: scales, format: .i4Group(columns: Self.kernelGroupColumns),
            statedShape: stated)
    }

    /// Columns of INT4 that share a scale in products; wider groups are taken in such parts.
    static let kernelGroupColumns = 32

    /// Where a tensor lies, or the tensor of all experts that it is a part of.
    private func location(of name: String, ending: String) -> CheckpointIndex.Location? {
        index.locations[name + ending]
            ?? FusedExpertName(name).flatMap { index.locations[$0.fusedName + ending] }
    }

    private func find(
        _ name: String, ending: String = "", shape: [Int], scalesOf weight: FoundTensor? = nil
    ) throws(Refusal) -> FoundTensor {
        guard let location = index.locations[name + ending] else {
            if let found = try findFused(name, ending: ending, shape: shape) { return found }
            let purpose = weight.map { ", the scales of \($0.storedName)" } ?? ""
            throw Refusal(
                "\(index.subject): \(name)\(ending)",
                "the tensor is missing\(purpose), expected \(shape)")
        }
        let (file, stored) = try stored(at: location)
        guard stored.shape == shape else {
            throw Refusal(
                "\(file.path): \(stored.name)", "has the shape \(stored.shape), expected \(shape)")
        }
        return FoundTensor(
            file: file, storedName: stored.name, elementType: stored.elementType,
            range: stored.range, storedRowCount: shape.first ?? 1, rows: 0..<(shape.first ?? 1))
    }

    private func stored(
        at location: CheckpointIndex.Location
    ) throws(Refusal) -> (SafetensorsFile, StoredTensor) {
        let file = try file(location.shard)
        guard let stored = file.header.tensors[location.storedName] else {
            preconditionFailure("a shard was opened without \(location.storedName)")
        }
        return (file, stored)
    }

    /// Finds an expert's matrix, or its scales, in a tensor of all experts.
    ///
    /// Gate and up rows lie one after the other; their blocks are counted through both, so the
    /// whole of an expert is taken and the rows are cut out of the matrix.
    private func findFused(
        _ name: String, ending: String, shape: [Int]
    ) throws(Refusal) -> FoundTensor? {
        guard let expert = FusedExpertName(name), let routing = configuration.routing,
            let location = index.locations[expert.fusedName + ending]
        else { return nil }
        let (file, stored) = try stored(at: location)
        let isPair = expert.part != .down && ending.isEmpty
        let rowCount = isPair ? 2 * shape[0] : shape[0]
        let expected = [routing.expertCount, rowCount] + shape.dropFirst()
        guard stored.shape == expected else {
            throw Refusal(
                "\(file.path): \(stored.name)",
                "has the shape \(stored.shape), expected \(expected)")
        }
        guard expert.expert < routing.expertCount else { return nil }
        let expertBytes = stored.range.count / routing.expertCount
        let first = stored.range.lowerBound + expert.expert * expertBytes
        let firstRow = isPair && expert.part == .up ? shape[0] : 0
        return FoundTensor(
            file: file, storedName: stored.name, elementType: stored.elementType,
            range: first..<(first + expertBytes), storedRowCount: rowCount,
            rows: firstRow..<(firstRow + shape[0]))
    }
}
