import Foundation

/// Sound model folders, and the same folders bent out of shape.
enum Bent {
    /// The bundled model with another config.json; its other files are links.
    static func gosling(
        in folder: ScratchFolder, named name: String = "model",
        _ change: (inout [String: Any]) throws -> Void = { _ in }
    ) throws -> String {
        try model(SkeinProgram.gosling, in: folder, named: name, change)
    }

    /// A model's folder with another config.json; its other files are links.
    static func model(
        _ source: String, in folder: ScratchFolder, named name: String = "model",
        _ change: (inout [String: Any]) throws -> Void = { _ in }
    ) throws -> String {
        let files = FileManager.default
        let target = folder.path + "/" + name
        try files.createDirectory(atPath: target, withIntermediateDirectories: true)
        for file in try files.contentsOfDirectory(atPath: source) where file != "config.json" {
            try files.createSymbolicLink(
                atPath: "\(target)/\(file)", withDestinationPath: "\(source)/\(file)")
        }
        let bytes = try Data(contentsOf: URL(filePath: source + "/config.json"))
        var config = try JSONSerialization.jsonObject(with: bytes) as? [String: Any] ?? [:]
        try change(&config)
        try JSONSerialization.data(withJSONObject: config, options: .sortedKeys)
            .write(to: URL(filePath: target + "/config.json"))
        return target
    }

    /// Puts a file of other bytes in the place of a link.
    static func replace(_ file: String, of model: String, with bytes: Data?) throws {
        let path = "\(model)/\(file)"
        if FileManager.default.fileExists(atPath: path) {
            try FileManager.default.removeItem(atPath: path)
        }
        try bytes?.write(to: URL(filePath: path))
    }

    /// A safetensors file of this header and no more than these bytes.
    static func safetensors(header: String, payload: Data = Data()) -> Data {
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) }
        return Data(length) + Data(header.utf8) + payload
    }
}
