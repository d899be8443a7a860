import Foundation

/// A file of a test, with a name of its own.
struct WrittenFile {
    let path = FileManager.default.temporaryDirectory
        .appending(path: "prompts-\(UInt64.random(in: 0...(.max)))").path()

    init(_ text: String) throws { try Data(text.utf8).write(to: URL(filePath: path)) }

    func remove() {
        do { try FileManager.default.removeItem(atPath: path) } catch {
            // It is gone already.
        }
    }
}
