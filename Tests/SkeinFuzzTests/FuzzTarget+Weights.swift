import Foundation
import SkeinCore
import SkeinTensor

@testable import SkeinWeights

extension FuzzTarget {
    /// A safetensors file: its header, and what it says when it is written again.
    static func readSafetensors(_ bytes: [UInt8]) throws {
        let length = try SafetensorsHeader.jsonByteCount(
            prefix: Array(bytes.prefix(8)), fileByteCount: bytes.count, subject: "file")
        let header = try SafetensorsHeader(
            json: Array(bytes[8..<(8 + length)]), fileByteCount: bytes.count, subject: "file")
        let stored = header.tensors.values.sorted {
            ($0.range.lowerBound, $0.range.upperBound, $0.name)
                < ($1.range.lowerBound, $1.range.upperBound, $1.name)
        }
        let path = FileManager.default.temporaryDirectory
            .appending(path: "skein-fuzz-\(ProcessInfo.processInfo.processIdentifier)").path()
        try SafetensorsWriter.write(
            stored.map {
                .init(
                    name: $0.name, elementType: $0.elementType, shape: $0.shape,
                    bytes: Array(bytes[$0.range]))
            }, to: path)
        defer { unlink(path) }
        let written = try BrokenPromise.ifRefused { try SafetensorsFile(path: path) }
        try BrokenPromise.unless(
            written.header.tensors.count == stored.count, "tensors are missing")
        for tensor in stored {
            guard let again = written.header.tensors[tensor.name] else {
                throw BrokenPromise(description: "\(tensor.name) is missing")
            }
            try BrokenPromise.unless(
                again.shape == tensor.shape && again.elementType == tensor.elementType
                    && written.bytes(again.range).copied() == Array(bytes[tensor.range]),
                "\(tensor.name) is another tensor")
        }
    }

    /// `model.safetensors.index.json`.
    static func readIndex(_ bytes: [UInt8]) throws {
        let index = try CheckpointIndex(json: bytes, path: "model.safetensors.index.json")
        try BrokenPromise.unless(
            index.storedNames.reduce(0) { $0 + $1.count } == index.locations.count,
            "a tensor is lost")
        for location in index.locations.values {
            try BrokenPromise.unless(
                index.shardNames.indices.contains(location.shard), "a tensor is in no file")
        }
    }

    /// Hashes of a checkpoint's files, as `sha256sum` writes them.
    static func readHashes(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        let list = try HashList(parsing: text, subject: "SHA256SUMS")
        let written = list.hashes.sorted { $0.key < $1.key }
            .map { "\($0.value)  \($0.key)\n" }.joined()
        let again = try BrokenPromise.ifRefused {
            try HashList(parsing: written, subject: "SHA256SUMS")
        }
        try BrokenPromise.unless(again == list, "other hashes were written")
    }

    /// What `skein inspect` and the planner compute from a configuration alone.
    static func computeFigures(of configuration: ModelConfiguration) {
        let figures = ModelArithmetic(configuration, latents: .bf16)
        _ = figures.weights(
            of: Slice(layers: 0..<configuration.layerCount, holdsEmbedding: true, holdsHead: true))
        _ = figures.cacheBytesPerToken()
        _ = figures.activationBytes(rowCount: Limits.microBatchRowsMax)
    }
}
