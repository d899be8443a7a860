public import SkeinCore
import SkeinTensor

/// A random checkpoint in published form, for measuring and for tests without a download.
///
/// Matrices have a deviation of one over the root of their inputs and norms lie near one, so that
/// activations stay of order one through any number of layers. The same configuration and seed
/// give the same bytes on every machine.
public struct SyntheticCheckpoint: Sendable {
    /// How the large matrices are stored.
    public enum Format: String, Sendable, CaseIterable {
        /// E4M3 with block scales.
        case fp8
        /// BF16.
        case bf16
        /// Routed experts in INT4 with a BF16 scale for each 32 columns of a row, else BF16.
        case int4
    }

    /// The model that will be written.
    public let configuration: ModelConfiguration

    /// Decides every number.
    public let seed: UInt64

    /// The `config.json` that will be written.
    let document: JSONValue

    /// Plans a checkpoint.
    ///
    /// - Parameters:
    ///   - json: a `config.json`.
    ///   - subject: its name for refusals.
    ///   - layerCount: main layers instead of the file's.
    ///   - format: how the large matrices are stored; without it as the file says.
    ///   - seed: decides every number.
    public init(
        json: [UInt8], subject: String, layerCount: Int? = nil, format: Format? = nil,
        seed: UInt64 = 0
    ) throws(Refusal) {
        guard json.count <= Limits.smallFileBytesMax else {
            throw Refusal(
                subject, "\(json.count) bytes, expected at most \(Limits.smallFileBytesMax)")
        }
        guard var fields = try JSONValue(parsing: json, subject: subject).fields else {
            throw Refusal(subject, "expected an object")
        }
        if fields["hidden_size"] == nil, var inner = fields["text_config"]?.fields {
            // The weights' form may stand outside of the language model's keys.
            inner["quantization_config"] =
                inner["quantization_config"] ?? fields["quantization_config"]
            fields = inner
        }
        if let layerCount { Self.set(layerCount: layerCount, in: &fields) }
        switch format {
        case .bf16: fields["quantization_config"] = nil
        case .fp8 where fields["quantization_config"]?["quant_method"] != .string("fp8"):
            fields["quantization_config"] = Self.publishedQuantization
        case .int4: fields["quantization_config"] = Self.publishedInt4
        default: break
        }
        document = .object(fields)
        configuration = try ModelConfiguration(parsed: document, subject: subject)
        guard configuration.family != .mistralLarge3 else {
            throw Refusal(subject, "is a params.json; synthetic checkpoints follow a config.json")
        }
        if configuration.quantization?.int4GroupColumnCount != nil,
            let routing = configuration.routing
        {
            for width in [configuration.hiddenSize, routing.expertIntermediateSize]
            where !width.isMultiple(of: 8) {
                throw Refusal(subject, "experts of width \(width) cannot be INT4, in words of 8")
            }
        }
        self.seed = seed
    }

    /// Plans a checkpoint for a `config.json` on disk.
    ///
    /// - Parameters:
    ///   - path: where the file lies.
    ///   - layerCount: main layers instead of the file's.
    ///   - format: how the large matrices are stored; without it as the file says.
    ///   - seed: decides every number.
    public init(
        configurationPath path: String, layerCount: Int? = nil, format: Format? = nil,
        seed: UInt64 = 0
    ) throws(Refusal) {
        let json = try FileFacts.content(of: path, byteCountMax: Limits.smallFileBytesMax)
        try self.init(
            json: json, subject: path, layerCount: layerCount, format: format, seed: seed)
    }

    /// Bytes of all tensors.
    public var tensorBytes: Int { ModelArithmetic(configuration).published.totalBytes }

    private static var publishedQuantization: JSONValue {
        .object([
            "quant_method": .string("fp8"), "fmt": .string("e4m3"),
            "activation_scheme": .string("dynamic"),
            "weight_block_size": .array([.integer(128), .integer(128)]),
        ])
    }

    private static var publishedInt4: JSONValue {
        .object([
            "quant_method": .string("compressed-tensors"), "format": .string("pack-quantized"),
            "config_groups": .object([
                "group_0": .object([
                    "targets": .array([.string("Linear")]),
                    "weights": .object([
                        "num_bits": .integer(4), "type": .string("int"),
                        "symmetric": .bool(true), "strategy": .string("group"),
                        "group_size": .integer(32), "dynamic": .bool(false),
                    ]),
                ])
            ]),
        ])
    }

    private static func set(layerCount: Int, in fields: inout [String: JSONValue]) {
        fields["num_hidden_layers"] = .integer(layerCount)
        guard (1...Limits.layersMax).contains(layerCount) else { return }
        // The newer lists name every layer; the last kind goes on.
        for key in ["mlp_layer_types", "indexer_types"] {
            guard case .array(let types)? = fields[key], let last = types.last else { continue }
            let more = Array(repeating: last, count: max(0, layerCount - types.count))
            fields[key] = .array(types.prefix(layerCount) + more)
        }
        if let letters = fields["index_topk_pattern"]?.string, let last = letters.last {
            let more = String(repeating: last, count: max(0, layerCount - letters.count))
            fields["index_topk_pattern"] = .string(letters.prefix(layerCount) + more)
        }
    }
}

/// A tensor of a synthetic checkpoint.
struct SyntheticTensor: Sendable {
    let name: String
    let elementType: ElementType
    let shape: [Int]
    let kind: SyntheticNumbers.Kind
    /// The tensor that this one repeats, or itself.
    let source: String

    var elementCount: Int { shape.reduce(1, *) }
    var byteCount: Int { elementCount * elementType.byteCount }
}

extension SyntheticCheckpoint {
    /// The tensors in the order of a published index, each weight with its scales beside it.
    func tensors() -> [[SyntheticTensor]] {
        var requirements = WeightPlan.whole(configuration).requirements
        for index in 0..<configuration.nextTokenLayerCount {
            requirements += WeightPlan.nextTokenLayer(index, of: configuration)
        }
        return requirements.map(tensors)
    }

    private func tensors(_ requirement: WeightRequirement) -> [SyntheticTensor] {
        let (name, shape) = (requirement.name, requirement.shape)
        let source = Self.source(of: requirement)
        let inputDeviation = 1 / Float(shape[shape.count - 1]).squareRoot()
        func plain(_ mean: Float, _ deviation: Float) -> [SyntheticTensor] {
            let isPrecise = requirement.storage == .precise
            return [
                SyntheticTensor(
                    name: name, elementType: isPrecise ? .f32 : .bf16, shape: shape,
                    kind: isPrecise
                        ? .float32(mean: mean, deviation: deviation)
                        : .bfloat16(mean: mean, deviation: deviation),
                    source: source)
            ]
        }
        if shape.count == 1 {
            // Biases are small, and the factors of norms near one.
            let isBias = name.hasSuffix("bias")
            return isBias ? plain(0, 0.01) : plain(1, 0.05)
        }
        if source == WeightName.embedding { return plain(0, 1) }
        if requirement.storage == .expert,
            let columns = configuration.quantization?.int4GroupColumnCount
        {
            return int4(name, shape, groupColumns: columns, deviation: inputDeviation)
        }
        guard requirement.storage == .quantizable || requirement.storage == .expert,
            let blocks = configuration.quantization?.float8
        else { return plain(0, inputDeviation) }
        let scaleName = WeightName.scale(of: name)
        return [
            SyntheticTensor(
                name: name, elementType: .f8e4m3, shape: shape, kind: .codes, source: source),
            SyntheticTensor(
                name: scaleName, elementType: .f32, shape: requirement.scaleShape(blocks),
                kind: .scales(
                    deviation: inputDeviation, arePowersOfTwo: blocks.scalesArePowersOfTwo),
                source: scaleName),
        ]
    }

    /// A routed expert's matrix as compressed-tensors packs it.
    private func int4(
        _ weight: String, _ shape: [Int], groupColumns: Int, deviation: Float
    ) -> [SyntheticTensor] {
        func tensor(
            _ ending: String, _ type: ElementType, _ shape: [Int], _ kind: SyntheticNumbers.Kind
        ) -> SyntheticTensor {
            SyntheticTensor(
                name: weight + ending, elementType: type, shape: shape, kind: kind,
                source: weight + ending)
        }
        let groupCount = (shape[1] + groupColumns - 1) / groupColumns
        return [
            tensor(WeightName.packedEnding, .i32, [shape[0], shape[1] / 8], .int4Words),
            tensor(
                WeightName.packedScaleEnding, .bf16, [shape[0], groupCount],
                .int4Scales(deviation: deviation)),
            tensor(WeightName.packedShapeEnding, .i32, [2], .integers(shape)),
        ]
    }

    private static func source(of requirement: WeightRequirement) -> String {
        guard requirement.isCopy else { return requirement.name }
        return requirement.name.hasSuffix("embed_tokens.weight")
            ? WeightName.embedding : WeightName.head
    }
}
