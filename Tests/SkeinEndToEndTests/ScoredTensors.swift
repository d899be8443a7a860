import Foundation
import SkeinTensor

@testable import SkeinWeights

/// The tensors of a safetensors file, by name.
struct ScoredTensors {
    private let file: SafetensorsFile

    init(_ path: String) throws { file = try SafetensorsFile(path: path) }

    func contains(_ name: String) -> Bool { file.header.tensors[name] != nil }

    /// The tensor's bytes, for comparisons that allow nothing.
    func bytes(_ name: String) throws -> [UInt8] {
        guard let tensor = file.header.tensors[name] else { throw MissingTensor(name: name) }
        return file.bytes(tensor.range).copied()
    }

    /// The tensor's F32 values.
    func floats(_ name: String) throws -> [Float] {
        try words(name).map { Float(bitPattern: $0) }
    }

    /// The tensor's I32 values.
    func integers(_ name: String) throws -> [Int32] {
        try words(name).map { Int32(bitPattern: $0) }
    }

    private func words(_ name: String) throws -> [UInt32] {
        let bytes = try bytes(name)
        return stride(from: 0, to: bytes.count, by: 4).map { place in
            (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << (8 * UInt32($1)) }
        }
    }

    struct MissingTensor: Error { let name: String }
}

/// A folder for one test's files, gone when the test ends.
final class ScratchFolder: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appending(path: "skein-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path(percentEncoded: false)
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: path) } catch { print("left \(path)") }
    }

    /// Writes a file and returns its path.
    func write(_ text: String, to name: String) throws -> String {
        let file = path + "/" + name
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }
}
