import Foundation

/// The repository's files as they lie on the disk.
enum SourceTree {
    /// The folder that holds LICENSE: the first one above this file.
    static let root: URL = {
        var folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        while folder.path != "/" {
            let license = folder.appendingPathComponent("LICENSE").path
            if FileManager.default.fileExists(atPath: license) { return folder }
            folder = folder.deletingLastPathComponent()
        }
        preconditionFailure("no folder above \(#filePath) holds LICENSE")
    }()

    /// Every file below the root, as paths relative to it, without build products and the like.
    static let paths: [String] = {
        var paths: [String] = []
        var folders = [""]
        while let folder = folders.popLast() {
            for name in names(in: folder) {
                let path = folder.isEmpty ? name : "\(folder)/\(name)"
                let isHidden = name.hasPrefix(".") && name != ".ci"
                if isFolder(path) {
                    if !isHidden { folders.append(path) }
                } else if !isHidden {
                    paths.append(path)
                }
            }
        }
        return paths.sorted()
    }()

    /// The Swift and C files that people write, read once for all tests.
    static let sources: [SourceFile] = paths.filter(isSource).map { path in
        SourceFile(path: path, bytes: bytes(path))
    }

    /// A file's bytes; empty where it cannot be read.
    static func bytes(_ path: String) -> [UInt8] {
        FileManager.default.contents(atPath: root.appendingPathComponent(path).path).map(Array.init)
            ?? []
    }

    /// A file's text.
    static func text(_ path: String) -> String { String(decoding: bytes(path), as: UTF8.self) }

    /// The names in a folder, hidden ones too, sorted.
    static func names(in folder: String) -> [String] {
        let path = root.appendingPathComponent(folder).path
        do {
            return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        } catch {
            return []
        }
    }

    /// Whether a path names a folder.
    static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        let full = root.appendingPathComponent(path).path
        return FileManager.default.fileExists(atPath: full, isDirectory: &isFolder)
            && isFolder.boolValue
    }

    /// Whether a file or folder is there.
    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
    }

    private static func isSource(_ path: String) -> Bool {
        let isWritten = path.hasPrefix("Sources/") || path.hasPrefix("Tests/")
        let isGenerated = path.hasPrefix("Sources/CSkeinProto/") || path.hasPrefix("Tests/Golden/")
        let isCode = [".swift", ".c", ".h"].contains { path.hasSuffix($0) }
        return isWritten && !isGenerated && isCode
    }
}
