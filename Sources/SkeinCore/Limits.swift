/// Every limit of Skein, with the sum that gives it.
public enum Limits {
    /// Unicode scalars of foreign text repeated in an error line: enough to recognise a path.
    public static let refusalScalarsMax = 400

    /// Latent rows in one page of the cache, per layer.
    ///
    /// Attention walks a page in one block of its online softmax, so this number is part of the
    /// arithmetic: it is the same on every stage and never tuned at run time.
    public static let pageRowCount = 64

    /// Nodes of one cluster: design section 1 speaks of 2 to 64 hosts; two nodes a host.
    public static let nodesMax = 128

    /// Stages of one ring: every node may hold two (vfold).
    public static let stagesMax = nodesMax * 2

    /// Layers a configuration may name; the largest published model has 61.
    public static let layersMax = 1_024

    /// Micro-batches in the ring: one computing and one waiting on every stage.
    public static let microBatchesInFlightMax = stagesMax * 2

    /// Rows (tokens) of one micro-batch, over all of its sequences.
    public static let microBatchRowsMax = 4_096

    /// Sequences of one micro-batch; a decode micro-batch has one row for each.
    public static let microBatchSpansMax = 1_024

    /// Positions of one sequence; the largest published context is 262,144.
    public static let positionsMax = 1_048_576

    /// Tokens of a vocabulary; the largest published one has 163,840.
    public static let vocabularyMax = 1_048_576

    /// Width of a residual stream; the largest published one is 7,168.
    public static let hiddenSizeMax = 65_536

    /// Bytes of an envelope: a decode micro-batch whose sequences all carry a full page table.
    public static let envelopeBytesMax = 64 << 20

    /// Bytes of one tensor frame: logits of a full micro-batch, `4 * rows * vocabulary`, capped.
    public static let frameBytesMax = 1 << 31

    /// Frames of one message: the envelope and the captured tensors of every layer.
    public static let framesMax = 1 + 3 * layersMax

    /// One message being read and one waiting, per micro-batch in flight.
    public static let linkMessagesMax = microBatchesInFlightMax * 2

    /// Bytes of a `config.json` or `tokenizer_config.json`.
    public static let smallFileBytesMax = 16 << 20

    /// Bytes of a `tokenizer.json`; the largest published one has 17 MB.
    public static let tokenizerFileBytesMax = 256 << 20

    /// Bytes of a safetensors header; the format's own reader allows 100 MB.
    public static let safetensorsHeaderBytesMax = 100 << 20

    /// Stop strings of one request.
    public static let stopStringsMax = 16

    /// Alternatives reported with each token.
    public static let topLogprobsMax = 20

    /// Bytes of an address on the wire: `tcp://`, a domain name of at most 253, and a port.
    public static let addressBytesMax = 300

    /// Bytes of a cluster file: 8 KB for every node.
    public static let clusterFileBytesMax = nodesMax * 8_192

    /// Characters of a cluster's or node's name; it names a secret file.
    public static let nameCharactersMax = 64

    /// Latent cache pages of a node: a full micro-batch of sequences, each at full length.
    public static let pagesMax = microBatchSpansMax * (positionsMax / pageRowCount)

    /// Threads of one node; the largest hosts on sale have 768.
    public static let threadsMax = 1_024
}
