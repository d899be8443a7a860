internal import SkeinCore

/// What a kernel bench found, with the names that others script against.
public struct KernelReport: Encodable, Sendable {
    /// One kernel in one shape.
    public struct Line: Encodable, Sendable {
        /// What is computed.
        public let kernel: String
        /// In which format.
        public let format: String
        /// Rows of the weight; positions, for attention.
        public let rows: Int
        /// Columns of the weight.
        public let columns: Int
        /// Rows of input.
        public let count: Int
        /// The median time of a call.
        public let microseconds: Double
        /// Bytes of the weight (or latents) read per second.
        public let bytesPerSecond: Double
        /// Multiplies and adds per second.
        public let flopsPerSecond: Double
        /// The least time that reading or multiplying takes, whichever is longer, as a share of
        /// the measured time.
        public let shareOfLimit: Double
        /// OpenBLAS in F32 on the same shape; absent where it has no such product.
        public let openblasMicroseconds: Double?
        /// Bytes that a call reads.
        let weightBytes: Int
    }

    /// Bytes per second of a streaming read.
    public let readBandwidthBytesPerSecond: Double
    /// Multiplies and adds per second, by format.
    public let multiplyAddPeakFlops: MeasuredLimits.Peaks
    /// Compute threads.
    public let threads: Int
    /// The kernels that ran.
    public let isa: String
    /// Products of one row: the median share of the limit, by format.
    public let oneRowShareF8: Double?
    /// Products of one row, BF16.
    public let oneRowShareBf16: Double?
    /// Products of one row, INT8.
    public let oneRowShareInt8: Double?
    /// Products of 512 rows: the median share of the limit, by format.
    public let manyRowsShareF8: Double?
    /// Products of 512 rows, BF16.
    public let manyRowsShareBf16: Double?
    /// Products of 512 rows, INT8.
    public let manyRowsShareInt8: Double?
    /// Everything that was measured.
    public let lines: [Line]

    init(limits: MeasuredLimits, threads: Int, isa: String, lines: [Line]) {
        readBandwidthBytesPerSecond = limits.readBandwidth
        multiplyAddPeakFlops = limits.peaks
        self.threads = threads
        self.isa = isa
        self.lines = lines
        oneRowShareF8 = Self.share(of: .f8, count: 1, in: lines)
        oneRowShareBf16 = Self.share(of: .bf16, count: 1, in: lines)
        oneRowShareInt8 = Self.share(of: .int8, count: 1, in: lines)
        manyRowsShareF8 = Self.share(of: .f8, count: 512, in: lines)
        manyRowsShareBf16 = Self.share(of: .bf16, count: 512, in: lines)
        manyRowsShareInt8 = Self.share(of: .int8, count: 512, in: lines)
    }

    /// The median over the products of a format.
    private static func share(of format: KernelFormat, count: Int, in lines: [Line]) -> Double? {
        let shares = lines.filter {
            $0.kernel == "product" && $0.format == format.rawValue && $0.count == count
        }.map(\.shareOfLimit).sorted()
        return shares.isEmpty ? nil : shares[shares.count / 2]
    }
}
