import Foundation
import SkeinCluster
import SkeinCore

/// The small model that comes with Skein, used where no folder is named.
enum BundledModel {
    /// Finds `cluster/models/gosling` beside the program or in a folder above it, or where
    /// `SKEIN_BUNDLED_MODEL` points.
    static func folder() throws(Refusal) -> String {
        if let path = ProcessInfo.processInfo.environment["SKEIN_BUNDLED_MODEL"] { return path }
        var folder = URL(filePath: ThisProgram.path).deletingLastPathComponent()
        for _ in 0..<8 {
            let candidate = folder.appending(path: "cluster/models/gosling")
            if FileManager.default.fileExists(
                atPath: candidate.appending(path: "config.json").path())
            {
                return candidate.path(percentEncoded: false)
            }
            folder.deleteLastPathComponent()
        }
        throw Refusal(
            "--model", "the bundled model was not found beside the program; name a folder")
    }
}
