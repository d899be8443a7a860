public import SkeinCore
public import SkeinTensor
internal import SkeinWeights

/// Measures every kernel that a model needs, in the model's shapes, beside the limits of the same
/// run and OpenBLAS on the same shape.
public struct KernelBench {
    /// Rows of input: a decode step alone, in company, and a prompt.
    private static let rowCounts = [1, 8, 32, 512]
    /// Positions that attention is measured at.
    private static let contexts = [1_024, 8_192, 32_768, 131_072]

    private let model: ModelConfiguration
    private let pool: ComputePool
    private let weights: KernelWeights
    private let limits: MeasuredLimits

    /// Measures the limits first.
    public init(_ model: ModelConfiguration, on pool: ComputePool) {
        self.model = model
        self.pool = pool
        limits = MeasuredLimits(on: pool)
        weights = KernelWeights(on: pool)
        BLAS.setThreadCount(pool.threadCount)
    }

    /// Measures one kernel after the other.
    ///
    /// - Parameter onLine: is told each line as it is known.
    public func run(onLine: (KernelReport.Line) -> Void) throws(Refusal) -> KernelReport {
        var lines: [KernelReport.Line] = []
        func add(_ line: KernelReport.Line) {
            lines.append(line)
            onLine(line)
        }
        for shape in shapes {
            let blas = blasSeconds(of: shape)
            for format in [KernelFormat.f8, .bf16, .int8] {
                let matrices = try weights.matrices(
                    rows: shape.rows, columns: shape.columns, format: format
                ).map { $0[0] }
                for rowCount in Self.rowCounts {
                    add(product(matrices, format: format, rowCount: rowCount, blas: blas))
                }
            }
        }
        if model.routing != nil { try add(gate()) }
        for line in try heads() { add(line) }
        for form in LatentForm.allCases {
            for positions in Self.contexts { try add(attention(over: positions, in: form)) }
        }
        if let indexer = model.indexer {
            for positions in Self.contexts where positions > indexer.topK {
                for line in try selecting(indexer, from: positions) { add(line) }
            }
        }
        add(norm())
        return KernelReport(
            limits: limits, threads: pool.threadCount, isa: "\(pool.instructionSet)",
            lines: lines)
    }

    private struct Shape: Hashable {
        let rows: Int
        let columns: Int
    }

    /// The shapes of all matrices that multiply in serving arithmetic, the smallest first.
    private var shapes: [Shape] {
        let plan = WeightPlan.whole(model)
        let shapes = plan.quantized.map { Shape(rows: $0.shape[0], columns: $0.shape[1]) }
        return Set(shapes).sorted {
            ($0.rows * $0.columns, $0.rows) < ($1.rows * $1.columns, $1.rows)
        }
    }

    // MARK: Kernels

    private func product(
        _ matrices: [PackedWeight], format: KernelFormat, rowCount: Int, blas: [Int: Double]
    ) -> KernelReport.Line {
        let (rows, columns) = (matrices[0].rowCount, matrices[0].columnCount)
        let input = KernelTiming.input(rows: rowCount, columns: columns)
        let output = Tensor(rows: rowCount, columns: rows)
        let seconds = Self.seconds { turn in
            MatrixProduct.multiply(
                input, by: matrices[turn % matrices.count], into: output, on: pool)
        }
        return line(
            "product", format, Shape(rows: rows, columns: columns), rowCount, seconds,
            bytes: matrices[0].byteCount, flops: 2 * rows * columns * rowCount,
            blas: blas[rowCount])
    }

    private func gate() throws(Refusal) -> KernelReport.Line {
        let shape = Shape(rows: model.routing?.expertCount ?? 1, columns: model.hiddenSize)
        let matrices = try weights.matrices(
            rows: shape.rows, columns: shape.columns, format: .bf16
        ).map { $0[0] }
        let input = KernelTiming.input(rows: 1, columns: shape.columns)
        let output = Tensor(rows: 1, columns: shape.rows)
        let seconds = Self.seconds { turn in
            MatrixProduct.multiply(
                input, by: matrices[turn % matrices.count], in: .float32, into: output, on: pool)
        }
        return line(
            "gate", .f32, shape, 1, seconds, bytes: matrices[0].byteCount,
            flops: 2 * shape.rows * shape.columns, blas: nil)
    }

    /// The latents' up-projection, folded into queries and into values.
    private func heads() throws(Refusal) -> [KernelReport.Line] {
        let (nope, value) = (model.qkNopeHeadSize, model.valueHeadSize)
        let rows = model.headCount * (nope + value)
        let shape = Shape(rows: rows, columns: model.kvLoraRank)
        func packed(_ form: PackedForm) throws(Refusal) -> [HeadWeights] {
            try weights.matrices(rows: rows, columns: shape.columns, format: .f8, as: form)
                .map { HeadWeights($0) }
        }
        let keys = try packed(.headsTransposed(HeadRows(keysOf: model)))
        let valueWeights = try packed(.heads(HeadRows(valuesOf: model)))
        var lines: [KernelReport.Line] = []
        for rowCount in Self.rowCounts {
            let queries = KernelTiming.input(rows: rowCount, columns: model.headCount * nope)
            let latents = Tensor(rows: rowCount, columns: model.headCount * shape.columns)
            let values = Tensor(rows: rowCount, columns: model.headCount * value)
            let absorb = Self.seconds { turn in
                MatrixProduct.multiplyPerHead(
                    queries, inputHeadStride: nope, by: keys[turn % keys.count], into: latents,
                    outputHeadStride: shape.columns, on: pool)
            }
            let expand = Self.seconds { turn in
                MatrixProduct.multiplyPerHead(
                    latents, inputHeadStride: shape.columns,
                    by: valueWeights[turn % valueWeights.count], into: values,
                    outputHeadStride: value, on: pool)
            }
            for (name, seconds, size) in [("absorb", absorb, nope), ("values", expand, value)] {
                let used = Shape(rows: model.headCount * size, columns: shape.columns)
                lines.append(
                    line(
                        name, .f32, used, rowCount, seconds, bytes: used.rows * used.columns,
                        flops: 2 * used.rows * used.columns * rowCount, blas: nil))
            }
        }
        return lines
    }

    private func attention(
        over positionCount: Int, in form: LatentForm
    ) throws(Refusal) -> KernelReport.Line {
        let trial = try attentionTrial(over: positionCount, in: form)
        let seconds = Self.seconds { _ in trial.run(on: pool) }
        let cost = AttentionCost(layerOf: ModelArithmetic(model, latents: form))
        return line(
            form == .bf16 ? "attention" : "attend fp8", .bf16,
            Shape(rows: positionCount, columns: model.latentRowWidth), 1, seconds,
            bytes: positionCount * cost.latentBytes, flops: positionCount * cost.latentFlops,
            blas: nil)
    }

    /// Choosing among so many positions, and attending to what was chosen.
    private func selecting(
        _ indexer: ModelConfiguration.Indexer, from positionCount: Int
    ) throws(Refusal) -> [KernelReport.Line] {
        let trial = try attentionTrial(over: positionCount, in: .bf16)
        let keys = try LatentStore(
            layerCount: 1, pageCount: trial.store.pageCount, rowWidth: indexer.headSize)
        Self.fill(keys)
        let queries = KernelTiming.input(
            rows: 1, columns: indexer.headCount * indexer.headSize)
        let headWeights = KernelTiming.input(rows: 1, columns: indexer.headCount)
        var selection: PositionSelection?
        let choosing = Self.seconds { _ in
            selection = PositionSelection(
                queries, weights: headWeights, keys: keys, layer: 0, spans: [trial.span],
                keptCount: indexer.topK, on: pool)
        }
        let attending = Self.seconds { _ in trial.run(selection: selection, on: pool) }
        let cost = AttentionCost(layerOf: ModelArithmetic(model))
        return [
            line(
                "index", .bf16, Shape(rows: positionCount, columns: indexer.headSize), 1, choosing,
                bytes: positionCount * LatentForm.bf16.indexKeyByteCount(of: model),
                flops: positionCount * 2 * indexer.headCount * indexer.headSize, blas: nil),
            line(
                "sparse", .bf16, Shape(rows: positionCount, columns: model.latentRowWidth), 1,
                attending, bytes: indexer.topK * cost.latentBytes,
                flops: indexer.topK * cost.latentFlops, blas: nil),
        ]
    }

    private func attentionTrial(
        over positionCount: Int, in form: LatentForm
    ) throws(Refusal) -> AttentionTrial {
        let trial = try AttentionTrial(
            positionCount: positionCount, headCount: model.headCount,
            rowWidth: model.latentRowWidth, latentWidth: model.kvLoraRank,
            codedWidth: form.codedWidth(latentWidth: model.kvLoraRank))
        Self.fill(trial.store)
        return trial
    }

    /// Writes numbers to every row: codes of zeros would be decoded by a slower way.
    private static func fill(_ store: LatentStore) {
        let row = KernelTiming.input(rows: 1, columns: store.rowWidth)
        for page in 0..<store.pageCount {
            for place in 0..<store.pageRowCount {
                store.write(layer: 0, page: PageIndex(page), row: place, from: row, row: 0)
            }
        }
    }

    private func norm() -> KernelReport.Line {
        let columns = model.hiddenSize
        let input = KernelTiming.input(rows: 512, columns: columns)
        let output = Tensor(rows: 512, columns: columns)
        let weight = [Float](repeating: 1, count: columns)
        let seconds = Self.seconds { _ in
            RootMeanSquare.normalize(input, weight: weight, epsilon: 1e-6, into: output, on: pool)
        }
        return line(
            "norm", .f32, Shape(rows: 512, columns: columns), 512, seconds,
            bytes: 8 * 512 * columns, flops: 4 * 512 * columns, blas: nil)
    }

    /// OpenBLAS on the same shape in F32, by rows of input.
    private func blasSeconds(of shape: Shape) -> [Int: Double] {
        let copies = KernelWeights.copyCount(
            rows: shape.rows, columns: shape.columns, byteCount: 4)
        let matrices = (0..<copies).map { _ in
            let matrix = Tensor(rows: shape.rows, columns: shape.columns)
            matrix.fill(0.5)
            return matrix
        }
        var seconds: [Int: Double] = [:]
        for rowCount in Self.rowCounts {
            let input = KernelTiming.input(rows: rowCount, columns: shape.columns)
            let output = Tensor(rows: rowCount, columns: shape.rows)
            seconds[rowCount] = Self.seconds { turn in
                BLAS.multiply(input, by: matrices[turn % copies], into: output)
            }
        }
        return seconds
    }

    // MARK: Measuring

    /// Seconds of one turn, over at least 30 milliseconds.
    private static func seconds(_ body: (_ turn: Int) -> Void) -> Double {
        KernelTiming.median(over: 0.03, atMost: 2, body)
    }

    private func line(
        _ kernel: String, _ format: KernelFormat, _ shape: Shape, _ rowCount: Int,
        _ seconds: Double, bytes: Int, flops: Int, blas: Double?
    ) -> KernelReport.Line {
        let peak =
            switch format {
            case .f32: limits.peaks.f32
            case .bf16, .f8: limits.peaks.bf16
            case .int8: limits.peaks.int8
            }
        let limitSeconds = max(Double(bytes) / limits.readBandwidth, Double(flops) / peak)
        return KernelReport.Line(
            kernel: kernel, format: format.rawValue, rows: shape.rows, columns: shape.columns,
            count: rowCount, microseconds: seconds * 1e6,
            bytesPerSecond: Double(bytes) / seconds, flopsPerSecond: Double(flops) / seconds,
            shareOfLimit: limitSeconds / seconds, openblasMicroseconds: blas.map { $0 * 1e6 },
            weightBytes: bytes)
    }
}
