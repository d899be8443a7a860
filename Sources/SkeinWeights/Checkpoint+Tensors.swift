public import SkeinCore
public import SkeinTensor

/// A tensor found in a file: the bytes it takes there, and how to read them.
struct FoundTensor {
    let file: SafetensorsFile
    /// The name in the file, for refusals.
    let storedName: String
    let elementType: ElementType
    /// The bytes, counted from the beginning of the file.
    let range: Range<Int>
    /// The rows of the stored matrix, of which `rows` are wanted.
    let storedRowCount: Int
    let rows: Range<Int>

    var subject: String { "\(file.path): \(storedName)" }
}

/// A tensor with the scales that belong to it.
struct FoundWeight {
    let tensor: FoundTensor
    let scales: FoundTensor?
}

extension Checkpoint {
    /// A weight matrix as it is stored, mapped and not copied.
    ///
    /// - Parameters:
    ///   - name: its published name; a routed expert's is found in fused files as well.
    ///   - rows: expected rows (outputs).
    ///   - columns: expected columns (inputs).
    public func matrix(
        _ name: String, rows: Int, columns: Int
    ) throws(Refusal) -> WeightMatrix {
        let found = try find(
            WeightRequirement(
                name, [rows, columns], WeightName.isQuantizable(name) ? .quantizable : .plain))
        let tensor = found.tensor
        let bytes = tensor.file.alignedBytes(tensor.range, for: tensor.elementType)
        let whole: WeightMatrix
        switch tensor.elementType {
        case .f32:
            whole = WeightMatrix(float32: bytes, rows: tensor.storedRowCount, columns: columns)
        case .bf16:
            whole = WeightMatrix(bfloat16: bytes, rows: tensor.storedRowCount, columns: columns)
        default:
            guard let quantization = configuration.quantization, let scales = found.scales else {
                preconditionFailure("an FP8 weight was found without scales: \(name)")
            }
            whole = WeightMatrix(
                float8: bytes, scales: try numbers(of: scales), rows: tensor.storedRowCount,
                columns: columns, blockRows: quantization.blockRowCount,
                blockColumns: quantization.blockColumnCount)
        }
        return tensor.rows == 0..<tensor.storedRowCount ? whole : whole.rows(tensor.rows)
    }

    /// How the numbers of a matrix are stored.
    func storedFormat(
        of requirement: WeightRequirement
    ) throws(Refusal) -> WeightMatrix.Format {
        switch try find(requirement).tensor.elementType {
        case .f32: return .f32
        case .bf16: return .bf16
        default:
            guard let quantization = configuration.quantization else {
                preconditionFailure("an FP8 weight was found without quantization")
            }
            return .f8Block(
                rows: quantization.blockRowCount, columns: quantization.blockColumnCount)
        }
    }

    /// A weight matrix that multiplies: as ``loaded(_:as:on:onProgress:)`` packed it, else packed
    /// now.
    ///
    /// - Parameters:
    ///   - name: its published name.
    ///   - rows: expected rows (outputs).
    ///   - columns: expected columns (inputs).
    public func multiplier(
        _ name: String, rows: Int, columns: Int
    ) throws(Refusal) -> PackedWeight {
        let int8 = PackedName(name, as: .int8)
        let form: PackedForm = packed[int8] == nil ? .asStored : .int8
        return try parts(of: PackedName(name, as: form), rows: rows, columns: columns)[0]
    }

    /// The heads of a weight matrix, each of which multiplies numbers of its own.
    ///
    /// - Parameters:
    ///   - isTransposed: whether stored columns are outputs.
    ///   - rows: expected rows of the whole matrix.
    ///   - columns: expected columns.
    public func headMultiplier(
        _ name: String, heads: HeadRows, isTransposed: Bool, rows: Int, columns: Int
    ) throws(Refusal) -> HeadWeights {
        HeadWeights(
            try parts(
                of: PackedName(name, as: isTransposed ? .headsTransposed(heads) : .heads(heads)),
                rows: rows, columns: columns))
    }

    private func parts(
        of name: PackedName, rows: Int, columns: Int
    ) throws(Refusal) -> [PackedWeight] {
        if let parts = packed[name] { return parts }
        let stored = try matrix(name.name, rows: rows, columns: columns)
        let arena = try WeightArena(
            byteCount: name.form.byteCount(rows: rows, columns: columns, format: stored.format))
        return arena.pack(stored, as: name.form, on: ComputePool(threadCount: 1))
    }

    /// A short list of numbers (a norm, a bias), copied to F32.
    ///
    /// - Parameters:
    ///   - name: its published name.
    ///   - count: expected numbers.
    public func vector(_ name: String, count: Int) throws(Refusal) -> [Float] {
        try numbers(of: find(WeightRequirement(name, [count], .precise)).tensor)
    }

    /// Whether the folder has a tensor of this name; an expert of a fused file counts.
    public func contains(_ name: String) -> Bool {
        if index.locations[name] != nil { return true }
        guard let fused = FusedExpertName(name) else { return false }
        return index.locations[fused.fusedName] != nil
    }

    /// Holds a plan against the files: every tensor is there in a shape and a type that fit.
    ///
    /// Only headers are read.
    ///
    /// - Returns: what the plan's tensors take in these files.
    @discardableResult
    public func verify(_ plan: WeightPlan) throws(Refusal) -> WeightTally {
        var tally = WeightTally()
        for requirement in plan.requirements {
            let found = try find(requirement)
            tally.tensorCount += 1
            tally.parameterCount += requirement.elementCount
            let bytes = requirement.elementCount * found.tensor.elementType.byteCount
            switch found.tensor.elementType {
            case .bf16: tally.bfloat16Bytes += bytes
            case .f32: tally.float32Bytes += bytes
            default: tally.float8Bytes += bytes
            }
            if let scales = found.scales {
                tally.tensorCount += 1
                tally.scaleBytes += scales.range.count
            }
        }
        return tally
    }
}

extension Checkpoint {
    /// Finds a tensor and checks its shape and type.
    func find(_ requirement: WeightRequirement) throws(Refusal) -> FoundWeight {
        let tensor = try find(requirement.name, shape: requirement.shape)
        switch (tensor.elementType, requirement.storage) {
        case (.f32, _), (.bf16, _): return FoundWeight(tensor: tensor, scales: nil)
        case (.f8e4m3, .quantizable): break
        default:
            let expected =
                requirement.storage == .quantizable ? "F8_E4M3, BF16 or F32" : "BF16 or F32"
            throw Refusal(
                tensor.subject,
                "is stored as \(tensor.elementType.safetensorsName), expected \(expected)")
        }
        guard let quantization = configuration.quantization else {
            throw Refusal(
                tensor.subject,
                "is stored as FP8, but config.json has no quantization_config")
        }
        let stored = WeightRequirement(
            requirement.name, [tensor.storedRowCount, requirement.shape[1]])
        let scales = try find(
            WeightName.scale(of: requirement.name), shape: stored.scaleShape(quantization),
            scalesOf: tensor)
        guard [.f32, .bf16, .f8e8m0, .u8].contains(scales.elementType) else {
            throw Refusal(
                scales.subject,
                "is stored as \(scales.elementType.safetensorsName), expected F32, BF16, F8_E8M0 "
                    + "or U8"
            )
        }
        return FoundWeight(tensor: tensor, scales: scales)
    }

    private func find(
        _ name: String, shape: [Int], scalesOf weight: FoundTensor? = nil
    ) throws(Refusal) -> FoundTensor {
        guard let location = index.locations[name] else {
            if let found = try findFused(name, shape: shape, scalesOf: weight) { return found }
            let purpose = weight.map { ", the scales of \($0.storedName)" } ?? ""
            throw Refusal(
                "\(index.subject): \(name)", "the tensor is missing\(purpose), expected \(shape)")
        }
        let (file, stored) = try stored(at: location)
        guard stored.shape == shape else {
            throw Refusal(
                "\(file.path): \(stored.name)", "has the shape \(stored.shape), expected \(shape)")
        }
        return FoundTensor(
            file: file, storedName: stored.name, elementType: stored.elementType,
            range: stored.range, storedRowCount: shape[0], rows: 0..<shape[0])
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
        _ name: String, shape: [Int], scalesOf weight: FoundTensor?
    ) throws(Refusal) -> FoundTensor? {
        let scaleEnding = WeightName.scale(of: "")
        let weightName = weight == nil ? name : String(name.dropLast(scaleEnding.count))
        guard let expert = FusedExpertName(weightName), let routing = configuration.routing,
            let location = index.locations[
                weight == nil ? expert.fusedName : WeightName.scale(of: expert.fusedName)]
        else { return nil }
        let (file, stored) = try stored(at: location)
        let isPair = expert.part != .down && weight == nil
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

    /// Copies numbers to F32; one that is not finite is refused.
    private func numbers(of tensor: FoundTensor) throws(Refusal) -> [Float] {
        let bytes = tensor.file.bytes(tensor.range).copied()
        let width = tensor.elementType.byteCount
        let numbers: [Float] = (0..<(bytes.count / width)).map { index in
            let first = index * width
            switch tensor.elementType {
            case .f32:
                let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[first + $1]) << (8 * $1) }
                return Float(bitPattern: bits)
            case .bf16:
                let bits = UInt32(bytes[first]) << 16 | UInt32(bytes[first + 1]) << 24
                return Float(bitPattern: bits)
            default:
                return Self.powerOfTwo(bytes[first])
            }
        }
        if let place = numbers.firstIndex(where: { !$0.isFinite }) {
            throw Refusal(tensor.subject, "number \(place) is not finite")
        }
        return numbers
    }

    /// The value of a UE8M0 byte: 2^(byte - 127), without a zero; 255 is no number.
    static func powerOfTwo(_ byte: UInt8) -> Float {
        byte == 255 ? .nan : Float(sign: .plus, exponent: Int(byte) - 127, significand: 1)
    }
}
