// How config.json says that weights are stored in fewer than 16 bits.

extension ModelConfiguration {
    /// Which weights are read, for refusals of those that are not.
    public static let readFormats =
        "Skein reads weights in BF16, in FP8 (quant_method \"fp8\") and in INT4 "
        + "(compressed-tensors, pack-quantized), as published, and makes INT8 of them itself "
        + "(--weights int8)"

    /// The method of a section that older tools wrote without its name.
    private static func unnamedMethod(_ section: ConfigurationReader) -> String? {
        let isBitsAndBytes = ["load_in_4bit", "load_in_8bit"].contains { section.fields[$0] != nil }
        if isBitsAndBytes { return "bitsandbytes" }
        return section.fields["bits"] == nil ? nil : "GPTQ, AWQ or MLX"
    }

    static func quantization(in reader: ConfigurationReader) throws(Refusal) -> Quantization? {
        if try reader.object("quantization") != nil {
            throw reader.refusal("quantization", "the weights are quantized by MLX; \(readFormats)")
        }
        guard let section = try reader.object("quantization_config") else { return nil }
        let method = try section.text("quant_method", default: unnamedMethod(section))
        switch method {
        case "fp8": return Quantization(float8: try float8(in: section))
        case "compressed-tensors": return try compressedTensors(in: section)
        default: throw section.refusal("quant_method", "found \"\(method)\"; \(readFormats)")
        }
    }

    private static func float8(in section: ConfigurationReader) throws(Refusal) -> Float8Blocks {
        try section.expect("fmt", .string("e4m3"))
        try section.expect("activation_scheme", .string("dynamic"))
        let format = try section.text("scale_fmt", default: "float32")
        guard ["ue8m0", "float32", "float", "fp32"].contains(format) else {
            throw section.refusal("scale_fmt", "found \"\(format)\"; only \"ue8m0\" is known")
        }
        var blocks = Float8Blocks(rowCount: Float8Blocks.whole, columnCount: Float8Blocks.whole)
        if let (key, value) = try section.value(["weight_block_size"]) {
            blocks = try Self.blocks(value, key, in: section)
        }
        blocks.scalesArePowersOfTwo = format == "ue8m0"
        return blocks
    }

    private static func blocks(
        _ value: JSONValue, _ key: String, in section: ConfigurationReader
    ) throws(Refusal) -> Float8Blocks {
        let bounds = 1...Limits.intermediateSizeMax
        guard case .array(let sizes) = value, sizes.count == 2,
            let rows = sizes[0].integer, let columns = sizes[1].integer,
            bounds.contains(rows), bounds.contains(columns)
        else {
            throw section.refusal(
                key, "found \(value.summary), expected two whole numbers above 0")
        }
        return Float8Blocks(rowCount: rows, columnCount: columns)
    }

    /// Reads the groups of compressed-tensors; its lists of exceptions count for nothing, since
    /// the names in the files say how a tensor is stored.
    private static func compressedTensors(
        in section: ConfigurationReader
    ) throws(Refusal) -> Quantization {
        guard let groups = try section.object("config_groups"), !groups.fields.isEmpty else {
            throw section.refusal(
                "config_groups", "the key is missing, expected a group of weights")
        }
        let format = try section.text("format", default: "")
        var quantization = Quantization()
        for name in groups.fields.keys.sorted() {
            guard let section = try groups.object(name) else { continue }
            guard let weights = try section.object("weights") else {
                throw section.refusal("weights", "the key is missing, expected an object")
            }
            let ownFormat = try section.text("format", default: format)
            let kind = try weights.text("type", default: "int")
            let bitCount = try weights.integer("num_bits", in: 1...64, default: 8)
            try weights.expect("symmetric", .bool(true))
            switch (kind, bitCount) {
            case ("float", 8) where quantization.float8 == nil:
                quantization.float8 = try float8Group(weights)
            case ("int", 4) where quantization.int4GroupColumnCount == nil:
                guard ownFormat == "pack-quantized" else {
                    throw section.refusal(
                        "format", "found \"\(ownFormat)\", expected \"pack-quantized\" of INT4")
                }
                quantization.int4GroupColumnCount = try int4Group(weights)
            default:
                throw weights.refusal(
                    "num_bits", "found \(bitCount) bits of type \"\(kind)\"; \(readFormats)")
            }
        }
        return quantization
    }

    private static func float8Group(
        _ weights: ConfigurationReader
    ) throws(Refusal) -> Float8Blocks {
        let whole = Float8Blocks.whole
        switch try weights.text("strategy", default: "tensor") {
        case "tensor": return Float8Blocks(rowCount: whole, columnCount: whole)
        case "channel": return Float8Blocks(rowCount: 1, columnCount: whole)
        case "block":
            guard let (key, value) = try weights.value(["block_structure"]) else {
                throw weights.refusal("block_structure", "the key is missing, expected two numbers")
            }
            return try blocks(value, key, in: weights)
        case let other:
            throw weights.refusal(
                "strategy", "found \"\(other)\", expected tensor, channel or block for FP8")
        }
    }

    private static func int4Group(_ weights: ConfigurationReader) throws(Refusal) -> Int {
        try weights.expect("strategy", .string("group"))
        // A reordering of columns would need the order, which packed files keep beside the codes.
        if let (key, value) = try weights.value(["actorder"]),
            ![.string("weight"), .string("static"), .bool(false)].contains(value)
        {
            throw weights.refusal(key, "found \(value.summary); reordered columns are not read")
        }
        let size = try weights.integer("group_size", in: 1...Limits.intermediateSizeMax)
        guard size.isMultiple(of: 32) else {
            throw weights.refusal("group_size", "found \(size), expected a multiple of 32")
        }
        return size
    }
}
