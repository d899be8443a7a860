import SkeinCore

/// Which file of a checkpoint folder holds which tensor.
struct CheckpointIndex: Sendable {
    /// Where a tensor lies.
    struct Location: Sendable {
        let shard: Int
        /// The name in the file, which may carry the language model's prefix.
        let storedName: String
    }

    /// The file that names the tensors, for refusals of names that nobody has.
    let subject: String

    /// The names of the weight files inside of the folder, sorted.
    let shardNames: [String]

    /// Tensors by their canonical name.
    private(set) var locations: [String: Location] = [:]

    /// Tensors of the part that sees, which are left alone.
    private(set) var visionCount = 0

    /// The stored names that each shard must have.
    private(set) var storedNames: [[String]]

    /// The only weight file of a folder.
    init(fileName: String, file: SafetensorsFile) throws(Refusal) {
        subject = file.path
        shardNames = [fileName]
        storedNames = [[]]
        for name in file.header.tensors.keys { try add(name, shard: 0) }
    }

    /// The shards that a `model.safetensors.index.json` names.
    ///
    /// - Parameters:
    ///   - json: the index file's bytes.
    ///   - path: its path, for refusals.
    init(json: [UInt8], path: String) throws(Refusal) {
        subject = path
        let document = try JSONValue(parsing: json, subject: path)
        guard document.members != nil else {
            throw Refusal(path, "found \(document.summary), expected an object")
        }
        guard let map = document["weight_map"]?.members else {
            throw Refusal(
                "\(path): weight_map",
                "found \(document["weight_map"]?.summary ?? "nothing"), expected an object")
        }
        guard !map.isEmpty else { throw Refusal("\(path): weight_map", "names no tensor") }
        var fileOfTensor: [(tensor: String, file: String)] = []
        var fileNames: Set<String> = []
        for member in map {
            let tensor = member.name
            guard let file = member.value.string else {
                throw Refusal(
                    "\(path): \(tensor)",
                    "found \(member.value.summary), expected a file's name")
            }
            if fileNames.insert(file).inserted { try Self.check(file, of: tensor, path: path) }
            fileOfTensor.append((tensor, file))
        }
        let sorted = fileNames.sorted()
        shardNames = sorted
        storedNames = Array(repeating: [], count: sorted.count)
        let shardOfFile = Dictionary(
            uniqueKeysWithValues: sorted.enumerated().map { ($0.element, $0.offset) })
        for (tensor, file) in fileOfTensor {
            try add(tensor, shard: shardOfFile[file, default: 0])
        }
    }

    /// A shard lies in the folder itself; an index that leads elsewhere is not followed.
    private static func check(
        _ file: String, of tensor: String, path: String
    ) throws(Refusal) {
        guard !file.isEmpty, file != ".", file != "..", !file.utf8.contains(0),
            !file.utf8.contains(UInt8(ascii: "/"))
        else {
            throw Refusal(
                "\(path): \(tensor)",
                "names the file \"\(file.prefix(120))\", expected one inside of the folder")
        }
    }

    private mutating func add(_ storedName: String, shard: Int) throws(Refusal) {
        guard !WeightName.isOfVision(storedName) else {
            visionCount += 1
            return
        }
        let name = WeightName.canonical(storedName)
        let location = Location(shard: shard, storedName: storedName)
        if let other = locations.updateValue(location, forKey: name) {
            throw Refusal(
                "\(subject): \(storedName)", "stands there a second time, as \(other.storedName)")
        }
        storedNames[shard].append(storedName)
    }
}
