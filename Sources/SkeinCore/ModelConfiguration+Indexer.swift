extension ModelConfiguration {
    /// Reads the lightning indexer, and which layers have one.
    static func indexer(
        in reader: ConfigurationReader, family: Family, queryRank: Int?, ropeSize: Int,
        layerCount: Int
    ) throws(Refusal) -> Indexer? {
        // A file with an indexer is sparse whatever it calls itself.
        let isIndexed = try reader.value(["index_topk"]) != nil
        let traits = family.traits.indexer
        guard traits != nil || isIndexed else { return nil }
        guard queryRank != nil else {
            throw reader.refusal("q_lora_rank", "absent, but the indexer reads the query latent")
        }
        return Indexer(
            headCount: try reader.integer(
                "index_n_heads", in: 1...Limits.headsMax, default: traits?.headCount ?? 64),
            headSize: try reader.integer(
                "index_head_dim", in: ropeSize...max(ropeSize, Limits.headSizeMax), default: 128),
            topK: try reader.integer("index_topk", in: 1...Limits.positionsMax, default: 2_048),
            isInterleaved: try reader.flag(
                "indexer_rope_interleave", default: traits?.isInterleaved ?? false),
            sharedLayers: try sharedLayers(in: reader, layerCount: layerCount))
    }

    /// The layers without an indexer: listed, as a pattern, or every so many.
    private static func sharedLayers(
        in reader: ConfigurationReader, layerCount: Int
    ) throws(Refusal) -> Set<Int> {
        let (key, isShared): (String, [Bool])
        if let (name, value) = try reader.value(["indexer_types"]) {
            (key, isShared) = (
                name, try kinds(value, name, in: reader, full: "full", shared: "shared")
            )
        } else if let (name, value) = try reader.value(["index_topk_pattern"]) {
            let letters = value.string.map { JSONValue.array($0.map { .string(String($0)) }) }
            (key, isShared) = (
                name, try kinds(letters ?? value, name, in: reader, full: "F", shared: "S")
            )
        } else {
            let frequency = try reader.integer(
                "index_topk_freq", in: 1...Limits.layersMax, default: 1)
            let offset = try reader.integer(
                "index_skip_topk_offset", in: 0...Limits.layersMax, default: 2)
            key = "index_skip_topk_offset"
            isShared = (0..<layerCount).map {
                !max($0 - offset + 1, 0).isMultiple(of: frequency)
            }
        }
        guard isShared.count == layerCount else {
            throw reader.refusal(
                key, "found \(isShared.count) entries, expected \(layerCount), one a layer")
        }
        guard isShared.first == false else {
            throw reader.refusal(
                key, "layer 0 shares the choice of a layer below, but there is none")
        }
        return Set(isShared.indices.filter { isShared[$0] })
    }

    private static func kinds(
        _ value: JSONValue, _ key: String, in reader: ConfigurationReader, full: String,
        shared: String
    ) throws(Refusal) -> [Bool] {
        guard case .array(let kinds) = value, kinds.count <= Limits.layersMax else {
            throw reader.refusal(key, "found \(value.summary), expected one entry a layer")
        }
        var isShared: [Bool] = []
        for kind in kinds {
            guard kind == .string(full) || kind == .string(shared) else {
                throw reader.refusal(
                    key, "found \(kind.summary), expected \"\(full)\" or \"\(shared)\"")
            }
            isShared.append(kind == .string(shared))
        }
        return isShared
    }

    /// Whether a layer chooses positions itself: a multi-token-prediction layer always does.
    public func hasOwnIndexer(_ layer: Int) -> Bool {
        indexer.map { !$0.sharedLayers.contains(layer) } ?? false
    }

    /// How many of some layers keep index keys in the cache.
    public func indexedLayerCount(in layers: Range<Int>) -> Int {
        guard let indexer else { return 0 }
        return layers.count - indexer.sharedLayers.count { layers.contains($0) }
    }

    /// Layers with which no stage may begin: they share the choice of the layer below.
    public var layersWithinStages: Set<Int> { indexer?.sharedLayers ?? [] }
}
