public import SkeinCore
public import SkeinPlanning
public import SkeinTensor

/// Measures how fast this machine reads and multiplies, with the kernels that serve.
///
/// Each rate is fitted to two calls of one kernel, one with a row for each weight and one with
/// many, since a planner needs both ends: a decode step reads, a prompt multiplies. Weights lie in
/// more memory than a cache holds, so that the first of them reads.
public struct HostBench {
    /// Sizes that the kernels are measured in.
    public struct Shape: Equatable, Sendable {
        /// Numbers of a row of the residual.
        public var hiddenSize: Int
        /// Rows of an expert's gate.
        public var innerSize: Int
        /// Heads of attention.
        public var headCount: Int
        /// Numbers of a head's key without its rope part.
        public var keySize: Int
        /// Numbers of a head's value.
        public var valueSize: Int
        /// Numbers of a latent.
        public var latentSize: Int
        /// Numbers of a latent row.
        public var rowWidth: Int

        /// The sizes of DeepSeek-V3, which are those of most of its kind.
        public static let deepSeekV3 = Shape(
            hiddenSize: 7_168, innerSize: 2_048, headCount: 128, keySize: 128, valueSize: 128,
            latentSize: 512, rowWidth: 576)

        /// Describes sizes.
        public init(
            hiddenSize: Int, innerSize: Int, headCount: Int, keySize: Int, valueSize: Int,
            latentSize: Int, rowWidth: Int
        ) {
            self.hiddenSize = hiddenSize
            self.innerSize = innerSize
            self.headCount = headCount
            self.keySize = keySize
            self.valueSize = valueSize
            self.latentSize = latentSize
            self.rowWidth = rowWidth
        }

        /// The sizes of a model; of a dense one those of its feed-forward in place of an expert's.
        public init(_ model: ModelConfiguration) {
            self.init(
                hiddenSize: model.hiddenSize,
                innerSize: model.routing?.expertIntermediateSize ?? model.intermediateSize,
                headCount: model.headCount, keySize: model.qkNopeHeadSize,
                valueSize: model.valueHeadSize, latentSize: model.kvLoraRank,
                rowWidth: model.latentRowWidth)
        }
    }

    /// Rows of input in the second call of a fit, for each weight.
    static let manyRows = 32

    /// Rows of input of the calls that tiles are fitted to.
    private static let tileRows = (some: 64, many: 256)

    /// Positions that attention is measured at.
    private static let positionCount = 4_096

    private let shape: Shape
    private let pool: ComputePool
    private let bytes: MappedBytes
    private let readTries: Int

    /// Prepares weights of that many bytes.
    ///
    /// - Parameter byteCount: more than any cache, or reading looks faster than it is.
    public init(_ shape: Shape, byteCount: Int = 192 << 20, on pool: ComputePool) {
        self.shape = shape
        self.pool = pool
        var numbers = SeededNumbers(seed: 1)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        while bytes.count < byteCount {
            let word = numbers.next()
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                // E4M3 from 2^-2 to 30, and BF16 from 1e-2 to 1e3: nothing overflows or flushes.
                bytes.append(UInt8(truncatingIfNeeded: word >> shift) & 0xBF | 0x28)
            }
        }
        self.bytes = MappedBytes(owning: bytes)
        readTries = byteCount < 64 << 20 ? 1 : 5
    }

    /// Measures everything.
    ///
    /// - Parameter onStep: is told what is measured next.
    public func run(onStep: (String) -> Void = { _ in }) throws(Refusal) -> HostRates {
        onStep("reading")
        let read = MachineLimits.readBandwidth(
            byteCount: min(1 << 30, 4 * bytes.count), tries: readTries, on: pool)
        onStep("FP8 experts")
        let float8 = try experts()
        onStep("BF16 products")
        let bfloat16 = try head()
        onStep("products head by head")
        let headFlops = try heads()
        onStep("attention")
        let attention = try attention()
        return HostRates(
            readBytesPerSecond: read, float8: float8, bfloat16: bfloat16,
            float32: FormatRate(weightBytesPerSecond: read, flopsPerSecond: headFlops),
            attentionFlopsPerSecond: attention, layerSeconds: try layer())
    }

    // MARK: Kernels

    /// As many experts as fit, each with one row and then with many.
    private func experts() throws(Refusal) -> FormatRate {
        let (inner, hidden) = (shape.innerSize, shape.hiddenSize)
        let count = max(1, bytes.count / (3 * inner * hidden))
        var stored: [WeightMatrix] = []
        for index in 0..<count {
            stored += [
                float8(inner, hidden, 3 * index), float8(inner, hidden, 3 * index + 1),
                float8(hidden, inner, 3 * index + 2),
            ]
        }
        let weights = try packed(stored).map { $0[0] }
        let units = (0..<count).map {
            GatedWeights(
                gate: weights[3 * $0], up: weights[3 * $0 + 1], down: weights[3 * $0 + 2])
        }
        func seconds(_ rowCount: Int) -> Double {
            let input = KernelTiming.input(rows: rowCount, columns: hidden)
            let output = Tensor(rows: rowCount * count, columns: hidden)
            let pairs = (0..<count * rowCount).map { place in
                (expert: place / rowCount, inputRow: place % rowCount, outputRow: place)
            }
            let assignments = ExpertAssignments(
                expertCount: count, pairs: pairs, outputRowCount: pairs.count)
            return Self.seconds {
                GatedUnit.applyExperts(
                    units, assignments: assignments, to: input, into: output, on: pool)
            }
        }
        return rate(
            byteCount: Double(units.reduce(0) { $0 + $1.byteCount }),
            flopsPerRow: Double(count) * 6 * Double(inner) * Double(hidden), seconds)
    }

    /// A rate from one row and many; where the kernels have tiles, theirs from many and more.
    private func rate(
        byteCount: Double, flopsPerRow: Double, _ seconds: (_ rowCount: Int) -> Double
    ) -> FormatRate {
        var rate = FormatRate(
            byteCount: byteCount, flopsPerRow: flopsPerRow, fewRows: 1, few: seconds(1),
            manyRows: Self.manyRows, many: seconds(Self.manyRows))
        guard pool.instructionSet == .amx else { return rate }
        let tiles = FormatRate(
            byteCount: byteCount, flopsPerRow: flopsPerRow, fewRows: Self.tileRows.some,
            few: seconds(Self.tileRows.some), manyRows: Self.tileRows.many,
            many: seconds(Self.tileRows.many))
        rate.tiles = FormatRate.Tiles(
            weightBytesPerSecond: tiles.weightBytesPerSecond,
            flopsPerSecond: tiles.flopsPerSecond)
        return rate
    }

    /// A part of a head, as large as fits.
    private func head() throws(Refusal) -> FormatRate {
        let hidden = shape.hiddenSize
        let rows = max(1, min(65_536, bytes.count / (2 * hidden)))
        let weight = try packed([
            WeightMatrix(
                bfloat16: bytes.subrange(0..<(2 * rows * hidden)), rows: rows, columns: hidden)
        ])[0][0]
        func seconds(_ rowCount: Int) -> Double {
            let input = KernelTiming.input(rows: rowCount, columns: hidden)
            let output = Tensor(rows: rowCount, columns: rows)
            return Self.seconds {
                MatrixProduct.multiply(input, by: weight, into: output, on: pool)
            }
        }
        return rate(
            byteCount: Double(weight.byteCount), flopsPerRow: 2 * Double(rows) * Double(hidden),
            seconds)
    }

    /// Operations a second of the latents' up-projection, folded into queries and into values.
    private func heads() throws(Refusal) -> Double {
        let (key, value) = (shape.keySize, shape.valueSize)
        let rows = shape.headCount * (key + value)
        let copies = max(1, bytes.count / (rows * shape.latentSize))
        let stored = (0..<copies).map { float8(rows, shape.latentSize, $0) }
        func heads(_ used: Range<Int>) -> HeadRows {
            HeadRows(headCount: shape.headCount, rowsPerHead: key + value, used: used)
        }
        let keys = try packed(stored, as: .headsTransposed(heads(0..<key))).map {
            HeadWeights($0)
        }
        let valueWeights = try packed(stored, as: .heads(heads(key..<key + value))).map {
            HeadWeights($0)
        }
        func seconds(_ rowCount: Int) -> Double {
            let queries = KernelTiming.input(rows: rowCount, columns: shape.headCount * key)
            let latents = Tensor(rows: rowCount, columns: shape.headCount * shape.latentSize)
            let values = Tensor(rows: rowCount, columns: shape.headCount * value)
            var turn = 0
            return Self.seconds {
                MatrixProduct.multiplyPerHead(
                    queries, inputHeadStride: key, by: keys[turn % copies], into: latents,
                    outputHeadStride: shape.latentSize, on: pool)
                MatrixProduct.multiplyPerHead(
                    latents, inputHeadStride: shape.latentSize, by: valueWeights[turn % copies],
                    into: values, outputHeadStride: value, on: pool)
                turn += 1
            }
        }
        let rate = FormatRate(
            byteCount: Double(keys[0].byteCount + valueWeights[0].byteCount),
            flopsPerRow: 2 * Double(rows) * Double(shape.latentSize), fewRows: 1, few: seconds(1),
            manyRows: Self.manyRows, many: seconds(Self.manyRows))
        return rate.flopsPerSecond
    }

    /// Operations a second of one row over latent rows.
    private func attention() throws(Refusal) -> Double {
        let trial = try AttentionTrial(
            positionCount: Self.positionCount, headCount: shape.headCount,
            rowWidth: shape.rowWidth, latentWidth: shape.latentSize)
        trial.store.populate()
        let seconds = Self.seconds { trial.run(on: pool) }
        let width = shape.rowWidth + shape.latentSize
        return 2 * Double(shape.headCount * width) * Double(Self.positionCount) / seconds
    }

    /// Seconds of a layer whose products are too small to take any: waking threads, and norms.
    private func layer() throws(Refusal) -> Double {
        let productCount = 10
        let normCount = 4
        let small = 64
        let weight = try packed([
            WeightMatrix(
                bfloat16: bytes.subrange(0..<(2 * small * small)), rows: small, columns: small)
        ])[0][0]
        let input = KernelTiming.input(rows: 1, columns: small)
        let output = Tensor(rows: 1, columns: small)
        let row = KernelTiming.input(rows: 1, columns: shape.hiddenSize)
        let normed = Tensor(rows: 1, columns: shape.hiddenSize)
        let ones = [Float](repeating: 1, count: shape.hiddenSize)
        return Self.seconds {
            for _ in 0..<productCount {
                MatrixProduct.multiply(input, by: weight, into: output, on: pool)
            }
            for _ in 0..<normCount {
                RootMeanSquare.normalize(
                    row, weight: ones, epsilon: 1e-6, into: normed, on: pool)
            }
        }
    }

    // MARK: Measuring

    /// Weights of one shape and format, as products read them.
    private func packed(
        _ weights: [WeightMatrix], as form: PackedForm = .asStored
    ) throws(Refusal) -> [[PackedWeight]] {
        let byteCount = weights.reduce(0) {
            $0
                + form.byteCount(rows: $1.rowCount, columns: $1.columnCount, format: $1.format)
        }
        let arena = try WeightArena(byteCount: byteCount)
        return weights.map { arena.pack($0, as: form, on: pool) }
    }

    /// One of the weights that the bytes are cut into; beyond the last one they begin again.
    private func float8(_ rows: Int, _ columns: Int, _ place: Int) -> WeightMatrix {
        let size = rows * columns
        let count = bytes.count / size
        precondition(count > 0, "\(bytes.count) bytes for weights of \(size)")
        let first = place % count * size
        let scaleCount = ((rows + 127) / 128) * ((columns + 127) / 128)
        return WeightMatrix(
            float8: bytes.subrange(first..<(first + size)),
            scales: [Float](repeating: 0.001, count: scaleCount), rows: rows, columns: columns,
            blockRows: 128, blockColumns: 128)
    }

    /// Seconds of one call, over at least a fifth of a second.
    private static func seconds(_ body: () -> Void) -> Double {
        KernelTiming.median(over: 0.2, atMost: 5) { _ in body() }
    }
}
