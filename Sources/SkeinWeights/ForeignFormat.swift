import Foundation
import SkeinCore

/// Says what people have in hand who name something else than a checkpoint in published form.
enum ForeignFormat {
    private static let expected =
        "expected the folder of a model as published, with config.json and safetensors files"

    /// A path at which nothing is: perhaps the name of a model on a hub.
    static func missing(_ path: String) -> Refusal {
        var name = path
        for prefix in ["https://", "http://", "hf://", "huggingface.co/", "hf.co/"]
        where name.hasPrefix(prefix) { name.removeFirst(prefix.count) }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        let isName = parts.count == 2 && parts.allSatisfy(isNamePart)
        guard isName, let model = parts.last else {
            return Refusal(path, "does not exist, expected a checkpoint folder")
        }
        return Refusal(
            path,
            "there is no such folder, and Skein does not download; "
                + "'hf download \(name) --local-dir \(model)' does, then name that folder")
    }

    /// A part of a model's name on a hub.
    private static func isNamePart(_ part: Substring) -> Bool {
        guard let first = part.first, first != ".", first != "-", first != "~" else { return false }
        return part.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
            default: false
            }
        }
    }

    /// Something that is there and no folder.
    static func noFolder(_ path: String, _ facts: FileFacts) -> Refusal {
        if isGGUF(path) { return Refusal(path, "is a GGUF file, \(unread); \(expected)") }
        if isPickle(path) { return Refusal(path, "is a PyTorch file, \(pickle)") }
        guard facts.kind == .regular else {
            return Refusal(path, "is \(facts.kind.rawValue), expected a checkpoint folder")
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        return Refusal(
            path, "is a file, expected a checkpoint folder, such as its own folder \(folder)")
    }

    /// A folder without `config.json`; `nil` where nothing in it says what it is.
    static func noConfiguration(_ folder: String, _ names: [String]) -> Refusal? {
        if let refusal = unreadWeights(folder, names) { return refusal }
        if names.contains("snapshots"), names.contains("refs") {
            return Refusal(
                folder, "is a folder of the Hugging Face cache; name the one below its snapshots/")
        }
        return nil
    }

    /// A folder without the weights that are read; `nil` where nothing in it says what it has.
    static func noWeights(
        _ folder: String, _ names: [String], expected: Checkpoint.FileNames
    ) -> Refusal? {
        if let refusal = unreadWeights(folder, names) { return refusal }
        guard let name = first(names, where: { $0.hasSuffix(".safetensors") }) else { return nil }
        return Refusal(
            folder,
            "has \(name), but neither \(expected.single) nor \(expected.index), which says what is "
                + "in which file")
    }

    /// Weights that were quantized by a tool that says so in a file of its own.
    static func quantized(_ folder: String, _ names: [String]) -> Refusal? {
        let files = ["quantize_config.json", "quant_config.json", "hf_quant_config.json"]
        guard let name = files.first(where: names.contains) else { return nil }
        return Refusal(
            path(name, in: folder),
            "says that the weights are quantized (GPTQ, AWQ or the like); "
                + ModelConfiguration.readFormats)
    }

    private static let unread = "which Skein does not read"
    private static let pickle =
        "\(unread), as such files can run code; convert it to safetensors with transformers: "
        + "model.save_pretrained(FOLDER, safe_serialization=True)"

    private static func unreadWeights(_ folder: String, _ names: [String]) -> Refusal? {
        if names.contains("adapter_config.json") {
            return Refusal(
                folder,
                "is a LoRA adapter (adapter_config.json), which Skein does not apply; merge it "
                    + "into its base model and name the folder of the result")
        }
        if let name = first(names, where: isGGUF) {
            return Refusal(folder, "has its weights as GGUF (\(name)), \(unread); \(expected)")
        }
        if let name = first(names, where: isPickle) {
            return Refusal(folder, "has its weights in PyTorch's form (\(name)), \(pickle)")
        }
        return nil
    }

    private static func isGGUF(_ name: String) -> Bool { name.lowercased().hasSuffix(".gguf") }

    private static func isPickle(_ name: String) -> Bool {
        guard !name.hasSuffix("training_args.bin"), !name.hasSuffix("optimizer.pt") else {
            return false
        }
        return [".bin", ".pt", ".pth", ".ckpt"].contains { name.lowercased().hasSuffix($0) }
    }

    private static func first(_ names: [String], where fits: (String) -> Bool) -> String? {
        names.filter(fits).min()
    }

    private static func path(_ name: String, in folder: String) -> String {
        Checkpoint.path(of: name, in: folder)
    }
}
