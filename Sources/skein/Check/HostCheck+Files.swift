import Foundation
import SkeinCluster
import SkeinCore
import SkeinTensor
import SkeinWeights

// The checkpoint, the memory that its part of this host needs, and room on disks.
extension HostCheck {
    /// What was found of checkpoints and of memory, and how much this host's nodes hold.
    struct ModelFindings {
        var checkpoint: [CheckFinding] = []
        var memory: [CheckFinding] = []
        var weightBytes = 0
    }

    /// Looks at each checkpoint folder that this host reads, and adds up what its nodes need.
    func modelFindings() -> ModelFindings {
        var found = ModelFindings()
        var needBytes = 0
        var isKnown = true
        let head = share.isHead ? [topology.modelPath] : []
        var paths: [String] = []
        for path in head + nodes.map({ topology.modelPath(of: $0) }) where !paths.contains(path) {
            paths.append(path)
        }
        for path in paths {
            do throws(Refusal) {
                try refusePointers(in: path)
                let checkpoint = try Checkpoint.open(path)
                let fingerprint = try checkpoint.fingerprint(of: topology.serving.weightForm)
                found.checkpoint.append(
                    CheckFinding(
                        .ok, .checkpoint,
                        "\(path): fingerprint \(fingerprint.prefix(16)), of samples; 'skein "
                            + "inspect --verify' reads every byte"))
                let needs = try needs(of: checkpoint, path: path)
                needBytes += needs.totalBytes
                found.weightBytes += needs.weightBytes
            } catch {
                found.checkpoint.append(CheckFinding(.error, .checkpoint, "\(error)"))
                isKnown = false
            }
        }
        if !nodes.isEmpty { found.memory = [memory(needBytes, isKnown: isKnown)] }
        return found
    }

    /// What this host's nodes need that read a folder.
    private func needs(
        of checkpoint: Checkpoint, path: String
    ) throws(Refusal) -> (totalBytes: Int, weightBytes: Int) {
        let shape = checkpoint.configuration
        try topology.serving.check(shape, subject: "context")
        let layout = InspectedLayout(
            placement: try topology.placement(of: shape), serving: topology.serving)
        let report = try InspectReport(shape, checkpoint: checkpoint, text: nil, layout)
        let own = nodes.filter { topology.modelPath(of: $0) == path }.map(\.name)
        let needs = report.nodes.filter { own.contains($0.name) }
        return (
            needs.reduce(0) { $0 + $1.totalBytes }, needs.reduce(0) { $0 + $1.weightBytes }
        )
    }

    private func memory(_ needBytes: Int, isKnown: Bool) -> CheckFinding {
        let standbyCount = nodes.count(where: \.isStandby)
        let standbys =
            standbyCount == 0
            ? "" : "; what \(standbyCount) standby node(s) take over is not counted"
        guard isKnown else {
            return CheckFinding(.error, .memory, "not known without the checkpoint")
        }
        guard let available = MachineMemory.now().availableBytes else {
            return CheckFinding(
                .warning, .memory,
                "\(ByteText(needBytes)) needed, the system does not say what is there\(standbys)")
        }
        let fits = needBytes <= available
        return CheckFinding(
            fits ? .ok : .error, .memory,
            "\(ByteText(needBytes)) needed, \(ByteText(available)) there within the limits of this "
                + "process\(standbys)")
    }

    /// Refuses a folder with files that Git has not fetched, all of them named.
    private func refusePointers(in folder: String) throws(Refusal) {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        } catch {
            // What is wrong with the folder is told by those who open it.
            return
        }
        let pointers = names.filter { isPointer(folder + "/" + $0) }
        guard !pointers.isEmpty else { return }
        let shown = pointers.prefix(8).joined(separator: ", ")
        let more = pointers.count > 8 ? " and \(pointers.count - 8) more" : ""
        throw Refusal(
            folder,
            "holds Git LFS pointers in place of files: \(shown)\(more); run 'git lfs pull' there")
    }

    private func isPointer(_ path: String) -> Bool {
        guard let file = FileHandle(forReadingAtPath: path) else { return false }
        do {
            let bytes = Array(try file.read(upToCount: 128) ?? Data())
            try GitPointer.refuse(bytes, subject: path)
            return false
        } catch is Refusal {
            return true
        } catch {
            return false
        }
    }

    // MARK: Disks

    /// Below this a journal may soon have no room.
    private static let stateBytesMin = 1 << 30

    func disk(_ weightBytes: Int) -> [CheckFinding] {
        var findings: [CheckFinding] = []
        if share.isHead, let path = topology.statePath {
            findings.append(room(for: "state", in: path, bytes: Self.stateBytesMin))
        }
        if !nodes.isEmpty, let path = topology.serving.packedCachePath {
            let isFilled = !names(in: path).isEmpty
            findings.append(room(for: "packed_cache", in: path, bytes: isFilled ? 0 : weightBytes))
        }
        return findings
    }

    private func names(in folder: String) -> [String] {
        do { return try FileManager.default.contentsOfDirectory(atPath: folder) } catch {
            return []
        }
    }

    /// Whether a folder can be written, or made, and has room.
    private func room(for field: String, in path: String, bytes: Int) -> CheckFinding {
        let files = FileManager.default
        var folder = URL(fileURLWithPath: path).standardizedFileURL
        while !files.fileExists(atPath: folder.path), folder.path != "/" {
            folder.deleteLastPathComponent()
        }
        guard files.isWritableFile(atPath: folder.path) else {
            return CheckFinding(
                .error, .disk, "\(field): \(path): this user may not write in \(folder.path)")
        }
        do {
            let facts = try files.attributesOfFileSystem(forPath: folder.path)
            let free = (facts[.systemFreeSize] as? NSNumber)?.intValue ?? 0
            let line = "\(field): \(path): \(ByteText(free)) free"
            return free >= bytes
                ? CheckFinding(.ok, .disk, line)
                : CheckFinding(.warning, .disk, line + ", expected \(ByteText(bytes))")
        } catch {
            return CheckFinding(.warning, .disk, "\(field): \(path): room is not known")
        }
    }
}
