import Foundation
import SkeinCore
import Testing

@testable import SkeinWeights

/// What people name first in place of a checkpoint folder, and what they are told.
@Suite("Foreign formats")
struct ForeignFormatTests {
    /// Something on disk, and what its one line says.
    struct Attempt: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let files: [String: [UInt8]]
        /// The path inside of the folder that is named; empty for the folder.
        let path: String
        let words: [String]

        init(
            _ title: String, _ files: [String], path: String = "", with bytes: [UInt8] = [1, 2],
            saying words: String...
        ) {
            testDescription = title
            self.files = Dictionary(uniqueKeysWithValues: files.map { ($0, bytes) })
            self.path = path
            self.words = words
        }
    }

    private static let configuration = Array(JSONValue.object(Draft.fields).text.utf8)
    private static let pointer = Array(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 13\n".utf8)

    private static func refusal(of path: String) throws -> String {
        let refusal = try #require(#expect(throws: Refusal.self) { try readWhole(path) })
        #expect(!refusal.description.contains("\n"))
        return refusal.description
    }

    static let folders = [
        Attempt(
            "a GGUF folder", ["m-Q4_K_M.gguf", "README.md"], saying: "GGUF (m-Q4_K_M.gguf)",
            "does not read", "as published"),
        Attempt("a GGUF file", ["m.GGUF"], path: "m.GGUF", saying: "m.GGUF: is a GGUF file"),
        Attempt(
            "a weights file", ["model.safetensors"], path: "model.safetensors",
            saying: "is a file", "its own folder"),
        Attempt(
            "config.json itself", ["config.json"], path: "config.json", saying: "is a file",
            "expected a checkpoint folder"),
        Attempt(
            "a PyTorch file", ["pytorch_model.bin"], path: "pytorch_model.bin",
            saying: "PyTorch file", "safetensors"),
        Attempt(
            "a LoRA adapter", ["adapter_config.json", "adapter_model.safetensors"],
            saying: "LoRA adapter", "merge"),
        Attempt(
            "a folder of the hub's cache", ["snapshots", "refs", "blobs"], saying: "snapshots/"),
        Attempt("an empty folder", [], saying: "is empty"),
        Attempt("some other folder", ["README.md"], saying: "config.json: does not exist"),
    ]

    @Test(arguments: folders)
    func anotherFormIsCalledByItsName(_ attempt: Attempt) throws {
        let folder = try TemporaryFolder()
        for (name, bytes) in attempt.files { try folder.write(bytes, to: name) }
        let path = attempt.path.isEmpty ? folder.path : folder.path(attempt.path)
        let line = try Self.refusal(of: path)
        for word in attempt.words { #expect(line.contains(word), "\(line)") }
    }

    @Test(arguments: [
        Attempt(
            "PyTorch weights", ["pytorch_model.bin"], saying: "(pytorch_model.bin)",
            "safe_serialization"),
        Attempt(
            "PyTorch shards",
            ["pytorch_model-00002-of-00002.bin", "pytorch_model-00001-of-00002.bin"],
            saying: "pytorch_model-00001-of-00002.bin"),
        Attempt("other PyTorch names", ["consolidated.00.pth"], saying: "consolidated.00.pth"),
        Attempt("GGUF weights", ["model.gguf"], saying: "GGUF (model.gguf)"),
        Attempt("a LoRA adapter with a configuration", ["adapter_config.json"], saying: "LoRA"),
        Attempt(
            "shards without an index", ["model-00001-of-00002.safetensors"],
            saying: "model-00001-of-00002.safetensors, but neither", "index"),
        Attempt("no weights", ["tokenizer.json"], saying: "is the download complete?"),
        Attempt(
            "what GPTQ writes beside weights", ["quantize_config.json", "model.safetensors"],
            saying: "quantize_config.json", "quantized", "FP8"),
        Attempt("what AWQ writes", ["quant_config.json"], saying: "quant_config.json", "quantized"),
    ])
    func besideAConfigurationOtherWeightsAreCalledByTheirName(_ attempt: Attempt) throws {
        let folder = try TemporaryFolder()
        for (name, bytes) in attempt.files { try folder.write(bytes, to: name) }
        let published = Draft.fields.filter { $0.key != "quantization_config" }
        try folder.write(Array(JSONValue.object(published).text.utf8), to: "config.json")
        let line = try Self.refusal(of: folder.path)
        for word in attempt.words { #expect(line.contains(word), "\(line)") }
    }

    @Test(arguments: [
        ("deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-V3 --local-dir DeepSeek-V3"),
        ("hf.co/zai-org/GLM-4.7-Flash", "zai-org/GLM-4.7-Flash --local-dir GLM-4.7-Flash"),
        ("https://huggingface.co/moonshotai/Kimi-K2", "moonshotai/Kimi-K2 --local-dir Kimi-K2"),
    ])
    func aNameOnAHubIsToldHowToGetThere(_ path: String, _ command: String) throws {
        let line = try Self.refusal(of: path)
        #expect(line.hasPrefix("\(path): there is no such folder, and Skein does not download"))
        #expect(line.contains("'hf download \(command)'"))
    }

    @Test(arguments: ["/none/such", "none", "./none/such", "../none", "a/b/c", "a/", "~/models"])
    func aPathThatIsNoNameIsOnlyMissing(_ path: String) throws {
        #expect(
            try Self.refusal(of: path) == "\(path): does not exist, expected a checkpoint folder")
    }

    @Test(arguments: [
        "config.json", "model.safetensors.index.json", Draft.first, Draft.second,
    ])
    func aGitPointerInPlaceOfAFileIsNamed(_ name: String) throws {
        let folder = try TemporaryFolder()
        var draft = try Draft()
        draft.files[name] = Self.pointer
        try draft.write(to: folder)
        let line = try Self.refusal(of: folder.path)
        #expect(line.contains(name) && line.contains("is a Git LFS pointer"))
        #expect(line.contains("git lfs pull"))
    }

    @Test(arguments: ["config.json", "model.safetensors.index.json", Draft.first])
    func anEmptyFileIsNamed(_ name: String) throws {
        let folder = try TemporaryFolder()
        var draft = try Draft()
        draft.files[name] = [UInt8]()
        try draft.write(to: folder)
        let line = try Self.refusal(of: folder.path)
        #expect(line.contains(name) && line.contains("empty"), "\(line)")
    }
}
