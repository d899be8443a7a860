internal import Foundation
public import SkeinCore

/// A folder of our own that is gone when we are done.
public struct TemporaryFolder: Sendable {
    /// Where it is.
    public let path: String

    /// Makes a folder that only this user can read.
    public init(prefix: String) throws(Refusal) {
        let url = FileManager.default.temporaryDirectory
            .appending(path: "\(prefix)-\(UUID().uuidString)")
        path = url.path(percentEncoded: false)
        do {
            try FileManager.default.createDirectory(
                at: url, withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw Refusal(path, "cannot be made: \(error.localizedDescription)")
        }
    }

    /// Writes a file and returns its path.
    public func write(_ text: String, to name: String) throws(Refusal) -> String {
        let file = path + "/" + name
        do {
            try text.write(toFile: file, atomically: true, encoding: .utf8)
        } catch {
            throw Refusal(file, "cannot be written: \(error.localizedDescription)")
        }
        return file
    }

    /// Removes the folder; one that cannot be removed is left to the system's own cleaning.
    public func remove() {
        do { try FileManager.default.removeItem(atPath: path) } catch { return }
    }
}

/// This program's own file, to start it again as a node.
public enum ThisProgram {
    /// The absolute path of the running program.
    public static var path: String {
        do {
            return try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        } catch {
            return Bundle.main.executablePath ?? CommandLine.arguments[0]
        }
    }
}
