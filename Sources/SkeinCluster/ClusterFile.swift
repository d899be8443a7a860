import Foundation
public import SkeinCore
import Yams

/// A cluster's shape as a YAML file; `cluster/topology.md` describes every field.
///
/// What is wrong with a file is said in one line: `FILE:LINE: field: what was found, what was
/// expected`. A file is trusted with nothing: its size, its nesting and every number are checked,
/// and YAML's anchors and aliases, by which a small file can grow without end, are not accepted.
public enum ClusterFile {
    /// Reads a cluster file; relative folders in it become absolute.
    public static func read(path: String) throws(Refusal) -> Topology {
        try parse(try bytes(of: path, kind: "cluster file"), path: path)
    }

    /// Reads a cluster file's bytes; `path` is named in errors, and folders are relative to it.
    public static func parse(_ bytes: [UInt8], path: String) throws(Refusal) -> Topology {
        let root = try compose(bytes, path: path)
        let fields = try ClusterFields(
            root, file: path, name: "file",
            allowed: [
                "cluster", "model", "placement", "context", "pages", "micro_batches",
                "prefill_chunk", "prefix_cache", "weights", "packed_cache", "latents",
                "steps_at_once", "hop", "dispatch", "keys", "coordinator", "nodes",
            ])
        let topology = try topology(fields, folder: folder(of: path))
        try checkPages(topology, fields)
        return topology
    }

    // MARK: Rooms

    private enum Switch: String, CaseIterable {
        case on
        case off
    }

    /// The bytes of a file of some kind, unless they are more than any such file needs.
    static func bytes(of path: String, kind: String) throws(Refusal) -> [UInt8] {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw Refusal(path, "cannot be opened, expected a \(kind)")
        }
        let most = Limits.clusterFileBytesMax
        let bytes: [UInt8]
        do {
            bytes = Array(try file.read(upToCount: most + 1) ?? Data())
        } catch {
            throw Refusal(path, "cannot be read, expected a \(kind)")
        }
        guard bytes.count <= most else {
            throw Refusal("\(path):1: file", "found more than \(most) bytes, expected at most that")
        }
        return bytes
    }

    static func folder(of path: String) -> URL {
        URL(fileURLWithPath: path).standardizedFileURL.deletingLastPathComponent()
    }

    /// The one YAML document of some bytes.
    static func compose(_ bytes: [UInt8], path: String) throws(Refusal) -> Node {
        let text = try ClusterText.checked(bytes, path: path)
        do {
            guard let root = try Parser(yaml: text).singleRoot() else {
                throw Refusal("\(path):1: file", "found nothing, expected a cluster's fields")
            }
            return root
        } catch let refusal as Refusal {
            throw refusal
        } catch let error as YamlError {
            throw ClusterText.refusal(error, path: path)
        } catch {
            throw Refusal("\(path):1: file", "found no YAML, expected a cluster's fields")
        }
    }

    private static func topology(
        _ fields: ClusterFields, folder: URL
    ) throws(Refusal) -> Topology {
        let placement = try fields.choice("placement", PlacementKind.self)
        let coordinator = try coordinator(fields)
        let nodes = try ClusterNodes(fields, placement: placement, folder: folder)
        try nodes.checkAddresses(coordinator: coordinator.fields)
        let keys = try fields.optionalText("keys")
        try nodes.checkKeys(coordinator: coordinator.fields, hasKeysFolder: keys != nil)
        let most = Limits.microBatchesInFlightMax
        var topology = Topology(
            name: try fields.name("cluster"),
            modelPath: absolute(try fields.text("model"), in: folder),
            placement: placement,
            positionCount: try fields.number("context", 1...Limits.positionsMax),
            pageCount: try fields.number("pages", 1...Limits.pagesMax),
            coordinator: coordinator.value,
            nodes: nodes.values,
            microBatchesInFlightMax: try fields.optionalNumber("micro_batches", 1...most),
            prefillChunkRowsMax: try fields.optionalNumber(
                "prefill_chunk", 1...Limits.microBatchRowsMax),
            reusesPrefixes: try reusesPrefixes(fields),
            weightForm: fields.has("weights")
                ? try fields.choice("weights", WeightForm.self) : .native,
            keysPath: keys.map { absolute($0, in: folder) })
        topology.packedCachePath = try fields.optionalText("packed_cache").map {
            absolute($0, in: folder)
        }
        topology.stepsAtOnce = try fields.optionalNumber(
            "steps_at_once", 1...Limits.stepsAtOnceMax)
        if fields.has("hop") { topology.hopForm = try fields.choice("hop", RowForm.self) }
        if fields.has("dispatch") {
            topology.dispatchForm = try fields.choice("dispatch", RowForm.self)
        }
        if fields.has("latents") {
            topology.latentForm = try fields.choice("latents", LatentForm.self)
        }
        return topology
    }

    private static func reusesPrefixes(_ fields: ClusterFields) throws(Refusal) -> Bool {
        guard fields.has("prefix_cache") else { return true }
        return try fields.choice("prefix_cache", Switch.self) == .on
    }

    private static func coordinator(
        _ fields: ClusterFields
    ) throws(Refusal) -> (value: Topology.Coordinator, fields: ClusterFields) {
        let inner = try fields.mapping("coordinator", allowed: ["address", "public_key", "http"])
        let value = Topology.Coordinator(
            address: try inner.address("address"),
            publicKey: try inner.optionalKey("public_key"),
            httpAddress: try inner.optionalHTTPAddress("http"))
        return (value, inner)
    }

    static func absolute(_ path: String, in folder: URL) -> String {
        if path.hasPrefix("/") { return path }
        return folder.appendingPathComponent(path).standardizedFileURL.path
    }

    private static func checkPages(_ topology: Topology, _ fields: ClusterFields) throws(Refusal) {
        let held = topology.pageCount * Limits.pageRowCount
        guard topology.positionCount <= held else {
            throw fields.refusal(
                "context",
                "found \(topology.positionCount), expected at most \(held), "
                    + "since \(topology.pageCount) pages hold no more")
        }
    }
}
