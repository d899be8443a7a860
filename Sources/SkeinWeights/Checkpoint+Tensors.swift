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
    var scales: FoundTensor?
    /// How its numbers are stored.
    let format: WeightMatrix.Format
    /// The rows and columns that stand beside INT4 codes.
    var statedShape: FoundTensor?

    /// The format in which it is kept.
    ///
    /// The up-projection of latents is turned round, and rows with scales of their own would become
    /// blocks of one column: such a matrix is written out in F32.
    func keptFormat(_ name: String) -> WeightMatrix.Format {
        guard case .f8Block(rows: 1, _) = format, WeightName.isLatentUp(name) else {
            return format
        }
        return .f32
    }

    /// Bytes of the codes of a part that is wanted.
    func codeBytes(of requirement: WeightRequirement) -> Int {
        if case .i4Group = format { return requirement.elementCount / 2 }
        return requirement.elementCount * tensor.elementType.byteCount
    }
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
        let scales = if let scales = found.scales { try numbers(of: scales) } else { [Float]() }
        let whole: WeightMatrix
        switch found.format {
        case .f32:
            whole = WeightMatrix(float32: bytes, rows: tensor.storedRowCount, columns: columns)
        case .bf16:
            whole = WeightMatrix(bfloat16: bytes, rows: tensor.storedRowCount, columns: columns)
        case .f8Block(let blockRows, let blockColumns):
            whole = WeightMatrix(
                float8: bytes, scales: scales, rows: tensor.storedRowCount, columns: columns,
                blockRows: blockRows, blockColumns: blockColumns)
        case .i4Group(let groupColumns):
            try check(scales, of: found, rows: rows, columns: columns)
            whole = WeightMatrix(
                int4: bytes,
                scales: spread(
                    scales, rows: rows, groupCount: (columns + groupColumns - 1) / groupColumns,
                    groupColumns: groupColumns),
                rows: rows, columns: columns, groupColumns: groupColumns)
        case .i8Group: preconditionFailure("INT8 is made and never stored: \(name)")
        }
        guard found.keptFormat(name) == found.format else { return whole.writtenOut() }
        return tensor.rows == 0..<tensor.storedRowCount ? whole : whole.rows(tensor.rows)
    }

    /// The scales of wider groups, one for each of the groups that kernels take.
    private func spread(
        _ scales: [Float], rows: Int, groupCount: Int, groupColumns: Int
    ) -> [Float] {
        let wide = configuration.quantization?.int4GroupColumnCount ?? groupColumns
        let (stored, share) = (scales.count / rows, wide / groupColumns)
        guard share > 1 else { return scales }
        return (0..<rows).flatMap { row in
            (0..<groupCount).map { scales[row * stored + $0 / share] }
        }
    }

    /// Holds what stands beside INT4 codes against what is expected.
    private func check(
        _ scales: [Float], of found: FoundWeight, rows: Int, columns: Int
    ) throws(Refusal) {
        if let place = scales.firstIndex(where: { $0.bitPattern & 0xFFFF != 0 }) {
            throw Refusal(
                found.scales?.subject ?? found.tensor.subject,
                "number \(place) is \(scales[place]), expected a BF16 number as a scale of INT4")
        }
        guard let stated = found.statedShape else { return }
        let bytes = stated.file.bytes(stated.range).copied()
        let width = stated.elementType.byteCount
        let sizes = (0..<2).map { place in
            (0..<width).reduce(UInt64(0)) { $0 | UInt64(bytes[place * width + $1]) << (8 * $1) }
        }
        guard sizes == [UInt64(rows), UInt64(columns)] else {
            throw Refusal(stated.subject, "says \(sizes), expected \([rows, columns])")
        }
    }

    /// How the numbers of a matrix are kept until they are packed.
    func storedFormat(
        of requirement: WeightRequirement
    ) throws(Refusal) -> WeightMatrix.Format {
        try find(requirement).keptFormat(requirement.name)
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
        if index.locations[name + WeightName.packedEnding] != nil { return true }
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
            let bytes = found.codeBytes(of: requirement)
            switch found.format {
            case .bf16: tally.bfloat16Bytes += bytes
            case .f32: tally.float32Bytes += bytes
            case .i4Group: tally.int4Bytes += bytes
            case .f8Block, .i8Group: tally.float8Bytes += bytes
            }
            for beside in [found.scales, found.statedShape].compactMap({ $0 }) {
                tally.tensorCount += 1
                tally.scaleBytes += beside.range.count
            }
        }
        return tally
    }
}

extension Checkpoint {
    /// Copies numbers to F32; one that is not finite is refused.
    func numbers(of tensor: FoundTensor) throws(Refusal) -> [Float] {
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
