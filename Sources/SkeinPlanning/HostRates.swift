/// How fast a host gets through weights of one format: measured with the kernels that serve.
///
/// A product reads each weight once and multiplies it with every row. Its time for each byte of the
/// weight is `1 / weightBytesPerSecond + rows * operations a byte / flopsPerSecond`, and never less
/// than reading the byte takes. Where tiles multiply many rows, the way that takes less is taken.
public struct FormatRate: Equatable, Sendable {
    /// Bytes of weights a second where hardly anything is multiplied: reading and decoding.
    public var weightBytesPerSecond: Double

    /// Multiplies and adds a second with many rows; one each counts two.
    public var flopsPerSecond: Double

    /// The same two of a way that pays from some rows on.
    public struct Tiles: Equatable, Sendable {
        /// Bytes of weights a second that are made ready for the tiles.
        public var weightBytesPerSecond: Double

        /// Multiplies and adds a second; one each counts two.
        public var flopsPerSecond: Double

        /// States both rates.
        public init(weightBytesPerSecond: Double, flopsPerSecond: Double) {
            self.weightBytesPerSecond = weightBytesPerSecond
            self.flopsPerSecond = flopsPerSecond
        }
    }

    /// Tiles, where the host has any.
    public var tiles: Tiles?

    /// States both rates.
    public init(weightBytesPerSecond: Double, flopsPerSecond: Double, tiles: Tiles? = nil) {
        self.weightBytesPerSecond = weightBytesPerSecond
        self.flopsPerSecond = flopsPerSecond
        self.tiles = tiles
    }

    /// Seconds of products that read so many bytes of weights.
    ///
    /// - Parameter readBytesPerSecond: bytes are read no faster than that.
    func seconds(bytes: Double, flops: Double, readBytesPerSecond: Double) -> Double {
        let plain =
            bytes / min(weightBytesPerSecond, readBytesPerSecond) + flops / flopsPerSecond
        guard let tiles else { return plain }
        return min(
            plain,
            bytes / min(tiles.weightBytesPerSecond, readBytesPerSecond)
                + flops / tiles.flopsPerSecond)
    }

    /// The rates of the same host's part.
    func part(_ part: Double) -> FormatRate {
        FormatRate(
            weightBytesPerSecond: weightBytesPerSecond * part,
            flopsPerSecond: flopsPerSecond * part,
            tiles: tiles.map {
                Tiles(
                    weightBytesPerSecond: $0.weightBytesPerSecond * part,
                    flopsPerSecond: $0.flopsPerSecond * part)
            })
    }

    /// The rates that explain two measured products of one weight.
    ///
    /// - Parameters:
    ///   - byteCount: bytes of the weight.
    ///   - flopsPerRow: operations of one row.
    ///   - few: seconds of a product with `fewRows` rows.
    ///   - many: seconds of a product with `manyRows` rows.
    public init(
        byteCount: Double, flopsPerRow: Double, fewRows: Int, few: Double, manyRows: Int,
        many: Double
    ) {
        let perRow = max(1e-15, (many - few) / Double(max(1, manyRows - fewRows)))
        // A few rows may hide wholly behind reading; what they would cost alone is then not in
        // `few`, and the weight's own time is at least half of it.
        let weight = max(few - perRow * Double(fewRows), few / 2)
        self.init(weightBytesPerSecond: byteCount / weight, flopsPerSecond: flopsPerRow / perRow)
    }
}

/// How fast a host reads and multiplies, all of its cores together.
public struct HostRates: Equatable, Sendable {
    /// Bytes a second of a streaming read.
    public var readBytesPerSecond: Double

    /// FP8 weights with block scales.
    public var float8: FormatRate

    /// BF16 weights.
    public var bfloat16: FormatRate

    /// F32 weights, and products head by head.
    public var float32: FormatRate

    /// Multiplies and adds a second of attention over latent rows.
    public var attentionFlopsPerSecond: Double

    /// Seconds of a layer that do not depend on its sizes: calling threads together, and norms.
    public var layerSeconds: Double

    /// What either end of a message takes of its host's cores.
    public var message: MessageRate

    /// States all rates.
    public init(
        readBytesPerSecond: Double, float8: FormatRate, bfloat16: FormatRate,
        float32: FormatRate, attentionFlopsPerSecond: Double, layerSeconds: Double,
        message: MessageRate = .usual
    ) {
        self.readBytesPerSecond = readBytesPerSecond
        self.float8 = float8
        self.bfloat16 = bfloat16
        self.float32 = float32
        self.attentionFlopsPerSecond = attentionFlopsPerSecond
        self.layerSeconds = layerSeconds
        self.message = message
    }

    /// The rates of a host of which only bandwidth and peaks are known.
    ///
    /// FP8 is decoded to BF16 and multiplied as such; attention runs in F32 over BF16 rows.
    public init(
        readBytesPerSecond: Double, bfloat16FlopsPerSecond: Double,
        float32FlopsPerSecond: Double
    ) {
        func rate(_ flopsPerSecond: Double) -> FormatRate {
            FormatRate(weightBytesPerSecond: readBytesPerSecond, flopsPerSecond: flopsPerSecond)
        }
        self.init(
            readBytesPerSecond: readBytesPerSecond, float8: rate(bfloat16FlopsPerSecond),
            bfloat16: rate(bfloat16FlopsPerSecond), float32: rate(float32FlopsPerSecond),
            attentionFlopsPerSecond: float32FlopsPerSecond,
            layerSeconds: Self.layerSecondsDefault)
    }

    /// A dozen products a layer, each of which wakes and awaits threads for some microseconds.
    public static let layerSecondsDefault = 50e-6

    /// The same host with one of so many equal parts of its cores and its memory's bandwidth.
    public func divided(by count: Int) -> HostRates {
        let part = 1 / Double(count)
        return HostRates(
            readBytesPerSecond: readBytesPerSecond * part, float8: float8.part(part),
            bfloat16: bfloat16.part(part), float32: float32.part(part),
            attentionFlopsPerSecond: attentionFlopsPerSecond * part, layerSeconds: layerSeconds,
            message: message)
    }

    /// Seconds of some work.
    func seconds(of work: StepWork) -> Double {
        func seconds(_ bytes: Double, _ flops: Double, _ rate: FormatRate) -> Double {
            rate.seconds(bytes: bytes, flops: flops, readBytesPerSecond: readBytesPerSecond)
        }
        let attention = max(
            work.latentBytes / readBytesPerSecond, work.attentionFlops / attentionFlopsPerSecond)
        return seconds(work.float8Bytes, work.float8Flops, float8)
            + seconds(work.bfloat16Bytes, work.bfloat16Flops, bfloat16)
            + seconds(work.float32Bytes, work.float32Flops, float32)
            + attention + work.layerCount * layerSeconds
    }
}
