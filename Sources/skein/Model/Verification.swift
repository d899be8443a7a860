import ArgumentParser
import Foundation
import Logging
import SkeinCore
import SkeinWeights
import Synchronization

/// Reading every byte of a checkpoint folder.
struct VerifyOptions: ParsableArguments {
    @Flag(
        name: .customLong("verify"),
        help: "Read every byte of every file, and tell each file's SHA-256.")
    var isWanted = false

    @Option(help: "With --verify: compare with this file, in the form of sha256sum.")
    var against: String?

    @Option(
        name: .customLong("progress-file"),
        help: "With --verify: where hashes are kept until all are there (default: FOLDER.verify).")
    var progressFile: String?

    func validate() throws {
        guard isWanted || (against == nil && progressFile == nil) else {
            throw ValidationError("--against and --progress-file: expected --verify, too")
        }
    }
}

/// What `inspect --verify` tells.
struct VerifyReport: Encodable {
    /// How a file compares with the list.
    enum Outcome: String, Encodable {
        /// There was no list.
        case hashed
        case ok, differs, missing
        /// The list does not name it.
        case unlisted
    }

    struct File: Encodable {
        let name: String
        let outcome: Outcome
        let bytes: Int?
        let sha256: String?
        let expectedSha256: String?
    }

    let folder: String
    let against: String?
    let files: [File]
    let okCount: Int
    let failedCount: Int

    init(folder: String, _ hashed: [FolderHashes.File], _ list: HashList?, against: String?) {
        self.folder = folder
        self.against = against
        var files = hashed.map { file in
            let expected = list?.hashes[file.name]
            let outcome: Outcome =
                if list == nil {
                    .hashed
                } else if let expected {
                    expected == file.sha256 ? .ok : .differs
                } else {
                    .unlisted
                }
            return File(
                name: file.name, outcome: outcome, bytes: file.byteCount, sha256: file.sha256,
                expectedSha256: expected)
        }
        let present = Set(hashed.map(\.name))
        for (name, expected) in list?.hashes ?? [:] where !present.contains(name) {
            files.append(
                File(
                    name: name, outcome: .missing, bytes: nil, sha256: nil,
                    expectedSha256: expected))
        }
        self.files = files.sorted { $0.name < $1.name }
        okCount = files.count { $0.outcome == .ok }
        failedCount = files.count { $0.outcome == .differs || $0.outcome == .missing }
    }

    /// Without a list, one for `sha256sum --check`; with one, a line for each file.
    var text: String {
        files.map { file in
            let name = PlainText(file.name)
            switch file.outcome {
            case .hashed: return "\(file.sha256 ?? "")  \(file.name)\n"
            case .ok: return "ok        \(name)\n"
            case .unlisted: return "unlisted  \(name)\n"
            case .missing: return "missing   \(name)\n"
            case .differs:
                return "differs   \(name): found \(file.sha256?.prefix(16) ?? ""), expected "
                    + "\(file.expectedSha256?.prefix(16) ?? "")\n"
            }
        }.joined()
    }
}

/// Hashes a checkpoint folder, in as many runs as it takes.
struct Verification {
    let folder: String
    let options: VerifyOptions

    /// The hashes of a run that was broken off.
    private struct Progress: Codable {
        var folder: String
        var files: [FolderHashes.File]
    }

    /// Reads everything, or what an earlier run has left.
    func report() async throws -> VerifyReport {
        let list = try options.against.map { path throws(Refusal) in
            try HashList(parsing: TextFile.read(path), subject: path)
        }
        let hashes = try FolderHashes(folder: folder)
        let path = progressPath
        let known = try earlier(at: path)
        let progress = Mutex(known)
        if !known.files.isEmpty {
            Console.say(
                "\(known.files.count) file(s) were read by an earlier run; their hashes are in "
                    + "\(path)")
        }
        try Console.checkWritable(path)
        let bar = ProgressBar(title: "reading \(folder)")
        let total = hashes.byteCount
        let files = try await hashes.compute(known: known.files) {
            bar.show(doneBytes: $0, totalBytes: total)
        } onFile: { (file) throws(Refusal) in
            let text = progress.withLock { progress in
                progress.files.append(file)
                return Self.text(of: progress)
            }
            try Console.write(text, to: path)
        }
        bar.finish()
        do {
            if FileManager.default.fileExists(atPath: path) {
                try FileManager.default.removeItem(atPath: path)
            }
        } catch {
            Console.say("\(path): cannot be removed, and is of no more use", level: .warning)
        }
        return VerifyReport(folder: folder, files, list, against: options.against)
    }

    private var progressPath: String {
        if let path = options.progressFile { return path }
        return URL(fileURLWithPath: folder).standardizedFileURL.path + ".verify"
    }

    private func earlier(at path: String) throws(Refusal) -> Progress {
        let none = Progress(folder: folder, files: [])
        guard let bytes = FileManager.default.contents(atPath: path) else { return none }
        do {
            let progress = try JSONDecoder().decode(Progress.self, from: bytes)
            return progress.folder == folder ? progress : none
        } catch {
            throw Refusal(
                path, "is in the way: it is not from an earlier run; name another --progress-file")
        }
    }

    private static func text(of progress: Progress) -> String {
        do {
            return String(decoding: try JSONEncoder().encode(progress), as: UTF8.self)
        } catch {
            // Texts and whole numbers can always be written.
            preconditionFailure("\(error)")
        }
    }
}
