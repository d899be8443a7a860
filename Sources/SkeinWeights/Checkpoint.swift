public import SkeinCore
import SkeinTensor
import Synchronization

/// A checkpoint folder in published form: `config.json` and safetensors files.
///
///     folder ──► config.json ──► ModelConfiguration ──► WeightPlan (names, shapes)
///            ──► model.safetensors, or the index ──► shard ──► header ──► mapped bytes
///
/// Opening reads the configuration and the index. A shard's header is read when a tensor of it is
/// first asked for, and data is mapped, never copied whole: a node touches its own slice only.
public final class Checkpoint: Sendable {
    /// Where the folder lies.
    public let folder: String

    /// The model's shape.
    public let configuration: ModelConfiguration

    /// The whole `config.json`.
    let document: JSONValue

    let index: CheckpointIndex

    /// Matrices that were packed while loading, by name and form; each in one part, or in one for
    /// each head.
    let packed: [PackedName: [PackedWeight]]

    private let files: Mutex<[Int: SafetensorsFile]>

    private init(
        folder: String, configuration: ModelConfiguration, document: JSONValue,
        index: CheckpointIndex, files: [Int: SafetensorsFile],
        packed: [PackedName: [PackedWeight]] = [:]
    ) {
        self.folder = folder
        self.configuration = configuration
        self.document = document
        self.index = index
        self.packed = packed
        self.files = Mutex(files)
    }

    /// The same folder with matrices that were packed from it.
    convenience init(_ checkpoint: Checkpoint, packed: [PackedName: [PackedWeight]]) {
        self.init(
            folder: checkpoint.folder, configuration: checkpoint.configuration,
            document: checkpoint.document, index: checkpoint.index,
            files: checkpoint.files.withLock { $0 }, packed: packed)
    }

    /// The file that describes the model.
    static let configurationName = "config.json"
    /// The weights in one file.
    static let singleName = "model.safetensors"
    /// Which shard has which tensor.
    static let indexName = "model.safetensors.index.json"

    /// What the files of a folder are called.
    struct FileNames {
        let configuration: String
        let single: String
        let index: String

        /// The usual ones first; Mistral has its own.
        static let all = [
            FileNames(configuration: configurationName, single: singleName, index: indexName),
            FileNames(
                configuration: "params.json", single: "consolidated.safetensors",
                index: "consolidated.safetensors.index.json"),
        ]
    }

    /// Opens a folder: its configuration, and which file holds which tensor.
    ///
    /// - Parameter folder: a folder as published; links, as in the Hugging Face store, count.
    public static func open(_ folder: String) throws(Refusal) -> Checkpoint {
        let fileNames = try fileNames(in: folder)
        let configurationPath = path(of: fileNames.configuration, in: folder)
        let document = try JSONValue(
            parsing: FileFacts.content(
                of: configurationPath, byteCountMax: Limits.smallFileBytesMax),
            subject: configurationPath)
        let configuration = try ModelConfiguration(parsed: document, subject: configurationPath)
        let names = try FileFacts.names(in: folder)
        if configuration.quantization == nil,
            let refusal = ForeignFormat.quantized(folder, names)
        {
            throw refusal
        }

        let singlePath = path(of: fileNames.single, in: folder)
        if !FileFacts.isAbsent(singlePath) {
            let file = try SafetensorsFile(path: singlePath)
            return Checkpoint(
                folder: folder, configuration: configuration, document: document,
                index: try CheckpointIndex(fileName: fileNames.single, file: file),
                files: [0: file])
        }
        let indexPath = path(of: fileNames.index, in: folder)
        guard !FileFacts.isAbsent(indexPath) else {
            throw ForeignFormat.noWeights(folder, names, expected: fileNames)
                ?? Refusal(
                    folder,
                    "has neither \(fileNames.single) nor \(fileNames.index); is the download "
                        + "complete?")
        }
        let index = try CheckpointIndex(
            json: FileFacts.content(
                of: indexPath, byteCountMax: Limits.safetensorsHeaderBytesMax),
            path: indexPath)
        for name in index.shardNames { try checkShard(name, in: folder, namedBy: indexPath) }
        return Checkpoint(
            folder: folder, configuration: configuration, document: document, index: index,
            files: [:])
    }

    /// Checks that a path is a folder with a model's configuration; one of another form is refused
    /// with what it is and what to do.
    public static func checkFolder(_ folder: String) throws(Refusal) {
        _ = try fileNames(in: folder)
    }

    /// What the files of a folder are called, which is checked.
    private static func fileNames(in folder: String) throws(Refusal) -> FileNames {
        if FileFacts.isMissing(folder) { throw ForeignFormat.missing(folder) }
        let facts = try FileFacts.existing(folder)
        guard facts.kind == .folder else { throw ForeignFormat.noFolder(folder, facts) }
        let names = try FileFacts.names(in: folder)
        guard !names.isEmpty else {
            throw Refusal(folder, "is empty, expected \(configurationName) and safetensors files")
        }
        if let fileNames = FileNames.all.first(where: { names.contains($0.configuration) }) {
            return fileNames
        }
        throw ForeignFormat.noConfiguration(folder, names)
            ?? Refusal(path(of: configurationName, in: folder), "does not exist")
    }

    private static func checkShard(
        _ name: String, in folder: String, namedBy indexPath: String
    ) throws(Refusal) {
        let facts: FileFacts
        do {
            facts = try FileFacts.existing(path(of: name, in: folder))
        } catch {
            throw Refusal(
                "\(indexPath): \(name)", "the shard \(error.reason); is the download complete?")
        }
        guard facts.kind == .regular else {
            throw Refusal("\(indexPath): \(name)", "the shard is \(facts.kind.rawValue)")
        }
    }

    static func path(of name: String, in folder: String) -> String {
        folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
    }

    /// The path of a weight file.
    func path(ofShard shard: Int) -> String {
        Self.path(of: index.shardNames[shard], in: folder)
    }

    /// Opens a weight file, once, and holds its header against what the index says.
    func file(_ shard: Int) throws(Refusal) -> SafetensorsFile {
        // The lock is held while a header is read: two readers of a shard would map it twice.
        try files.withLock { files throws(Refusal) in
            if let file = files[shard] { return file }
            let file = try SafetensorsFile(path: path(ofShard: shard))
            for name in index.storedNames[shard] where file.header.tensors[name] == nil {
                throw Refusal(
                    "\(index.subject): \(name)",
                    "is not in \(index.shardNames[shard]), where the index says it is")
            }
            files[shard] = file
            return file
        }
    }

    /// The names of all tensors in the folder, without the language model's prefix, sorted.
    public var tensorNames: [String] { index.locations.keys.sorted() }

    /// Tensors of the part of a model that sees, which Skein leaves alone.
    public var visionTensorCount: Int { index.visionCount }

    /// The names of the weight files, sorted.
    public var fileNames: [String] { index.shardNames }

    /// How many weight files have been mapped so far.
    public var openFileCount: Int { files.withLock { $0.count } }

    /// Whether the folder has the multi-token-prediction layers that the configuration names.
    public var holdsNextTokenLayers: Bool {
        let first = WeightName.layer(configuration.layerCount)
        return configuration.nextTokenLayerCount > 0
            && index.locations[first.predictionProjection] != nil
    }

    /// What a node loads of this checkpoint where it is served in some way.
    ///
    /// - Parameters:
    ///   - slices: what the node holds of the layers.
    ///   - held: its routed experts.
    ///   - serving: how; where it guesses ahead, the node of the head has the prediction layers.
    public func plan(
        of slices: [Slice], held: HeldExperts, serving: ServingSettings
    ) -> WeightPlan {
        WeightPlan(
            configuration: configuration, slices: slices, held: held,
            includesNextTokenLayers: holdsNextTokenLayers && serving.speculation != .off
                && slices.contains(where: \.holdsHead))
    }
}
