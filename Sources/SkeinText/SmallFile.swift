import Foundation
import SkeinCore

/// Reads whole files that must be small.
enum SmallFile {
    /// Whether something is at a path.
    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// The bytes of a regular file of at most `bytesMax` bytes.
    static func read(_ path: String, bytesMax: Int) throws(Refusal) -> [UInt8] {
        let file: FileHandle
        do {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                throw Refusal(path, "there is no such file")
            }
            guard !isFolder.boolValue else { throw Refusal(path, "is a folder, expected a file") }
            file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(path, "cannot be opened: \(error.localizedDescription)")
        }
        do {
            let bytes = [UInt8](try file.read(upToCount: bytesMax + 1) ?? Data())
            try file.close()
            guard bytes.count <= bytesMax else {
                throw Refusal(path, "has more than \(bytesMax) bytes, the most that Skein reads")
            }
            return bytes
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(path, "cannot be read: \(error.localizedDescription)")
        }
    }
}
