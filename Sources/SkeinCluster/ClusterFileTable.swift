// The fields of a cluster file; `cluster/topology.md` shows the same tables.
public import SkeinCore

extension Topology {
    /// What is taken where a file does not say; fields that must be there replace the rest.
    static let blank = Topology(
        name: "", modelPath: "", placement: .linear,
        serving: ServingSettings(positionCount: 1, pageCount: 1), coordinator: .blank, nodes: [])

    /// The fields of the whole file, in the order in which it is written.
    static let table: [FileField<Topology>] = [
        FileField("cluster", .name, \.name, "what people call it"),
        FileField("model", .folder, \.modelPath, "the checkpoint; a node may name its own"),
        FileField(
            "placement", .choice, \.placement, "one slice a node, or two: out and back"),
        FileField(
            "context", .count(1...Limits.positionsMax, "positions"), \.serving.positionCount,
            "what one sequence may have, prompt and completion together; at most the model's, and "
                + "`pages` × \(Limits.pageRowCount)"),
        FileField(
            "pages", .count(1...Limits.pagesMax, "× \(Limits.pageRowCount) positions"),
            \.serving.pageCount, "latent cache of every node; all sequences share it"),
        FileField(
            "micro_batches", .count(1...Limits.microBatchesInFlightMax, "micro-batches"),
            \.serving.microBatchesInFlightMax, absent: "chosen by the schedule",
            "how many are in the ring at most"),
        FileField(
            "prefill_chunk", .count(1...Limits.microBatchRowsMax, "rows"),
            \.serving.prefillRowsMax, standard: Limits.prefillRowsDefault,
            "rows of one prefill micro-batch at most"),
        FileField(
            "prefix_cache", .onOrOff, \.serving.reusesPrefixes, standard: true,
            "whether requests of one client share the latent rows of equal beginnings"),
        FileField(
            "speculation", .choice, \.serving.speculation, standard: .auto,
            "how many tokens the model's prediction layer guesses ahead; `auto` follows what is "
                + "measured; answers are the same"),
        FileField(
            "weights", .choice, \.serving.weightForm, standard: .native,
            "the form in which every node keeps its weights"),
        FileField(
            "packed_cache", .folder, \.serving.packedCachePath, absent: "none",
            "where nodes keep packed weights, so that their next start maps them"),
        FileField(
            "latents", .choice, \.serving.latentForm, standard: .bf16,
            "the form in which every node keeps its latent rows; `fp8` takes 656 bytes for "
                + "512 + 64 numbers in place of 1,152 and changes answers a little, the same on "
                + "every layout"),
        FileField(
            "steps_at_once", .count(1...Limits.stepsAtOnceMax, "micro-batches"),
            \.serving.stepsAtOnce, standard: Limits.stepsAtOnceDefault,
            "how many a stage with remote experts may have begun; one computes, the others "
                + "wait"),
        FileField(
            "hop", .choice, \.serving.hopForm, standard: .bf16,
            "how activations travel between stages; `fp8` about halves the bytes for thin links "
                + "and changes answers a little, by where the layers are cut"),
        FileField(
            "dispatch", .choice, \.serving.dispatchForm, standard: .bf16,
            "how rows reach routed experts; `fp8` halves the bytes and changes answers a little, "
                + "wherever experts are"),
        FileField(
            "keys", .folder, \.keysPath, absent: "none",
            "secret files `NAME.secret`; needed off loopback"),
        FileField(
            "state", .folder, \.statePath, absent: "none",
            "where the head writes requests down, on its own disk: one that is started again goes "
                + "on with them"),
        FileField(
            "unwritten", .choice, \.unwritten, standard: .served,
            "what becomes of new requests while the disk takes nothing: `served`, and lost where "
                + "the head dies, or `refused`"),
        FileField(
            "coordinator", .block(Coordinator.table, start: .blank), \.coordinator,
            "who owns the requests"),
        FileField(
            "nodes", .list(Node.table, countMax: Limits.nodesMax, start: .blank), \.nodes,
            "in the order in which a micro-batch visits them"),
    ]

    /// The cluster file that reads back as this topology.
    ///
    /// Texts stand in quotation marks wherever YAML could take them for something else, so that a
    /// key full of punctuation survives.
    public var yaml: String {
        Self.table.lines(of: self, indent: "").joined(separator: "\n") + "\n"
    }
}

extension Topology.Coordinator {
    static let blank = Self(address: TCPAddress(host: .ipv4("127.0.0.1"), port: nil))

    /// The fields of `coordinator`, in a hosts file too.
    static let table: [FileField<Self>] = [
        FileField(
            "address", .address, \.address,
            "where nodes send their token returns; runs on the host that has this address"),
        FileField(
            "public_key", .key, \.publicKey, absent: "none",
            "its CURVE key; its secret is `coordinator.secret`"),
        FileField("http", .httpAddress, \.httpAddress, absent: "none", "where clients speak HTTP"),
    ]
}

extension Topology.Node {
    static let blank = Self(name: "", address: Topology.Coordinator.blank.address)

    /// The fields of each of `nodes`.
    static let table: [FileField<Self>] = [
        FileField(
            "name", .name, \.name,
            "what `skein node --name` starts, and the name of its secret file; not `coordinator`"),
        FileField(
            "address", .nodeAddress, \.address, "where the node before it sends micro-batches"),
        FileField(
            "public_key", .key, \.publicKey, absent: "none",
            "its CURVE key, as `skein keys init` writes it"),
        FileField(
            "next_public_key", .key, \.nextPublicKey, absent: "none",
            "a second key that is accepted too, while one replaces the other"),
        FileField(
            "layers", .ranges(of: Limits.layersMax), \.layerRanges, standard: [],
            absent: "cut evenly",
            "its layers, for `vfold` a list of two; all nodes of the ring name them or none does"),
        FileField(
            "experts",
            .list(
                ShardPart.table, countMax: Limits.shardPartsMax, start: .blank, isInline: true),
            \.shard, standard: [], absent: "none",
            "routed experts that it holds; a node with experts and without `layers` is no part of "
                + "the ring"),
        FileField(
            "threads", .count(1...Limits.threadsMax, "threads"), \.threadCount,
            absent: "all cores", "threads that compute"),
        FileField(
            "model", .folder, \.modelPath, absent: "the cluster's",
            "this node's copy of the checkpoint"),
        FileField(
            "standby", .trueOrFalse, \.isStandby, standard: false,
            "`true`: the node holds nothing until it takes the place of one that is lost; without "
                + "`layers` and `experts`"),
        FileField(
            "status", .httpAddress, \.statusAddress, absent: "none",
            "where it answers `/livez`, `/readyz` and `/metrics`, to anybody who can reach it"),
    ]
}

extension ShardPart {
    static let blank = Self(layers: 0..<1, experts: 0..<1)

    /// The fields of each of a node's `experts`.
    static let table: [FileField<Self>] = [
        FileField("layers", .range(of: Limits.layersMax), \.layers, "MoE layers"),
        FileField("experts", .range(of: Limits.expertsMax), \.experts, "experts of each of them"),
    ]
}
