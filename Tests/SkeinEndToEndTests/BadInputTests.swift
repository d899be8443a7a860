import Foundation
import Testing

/// Whatever is broken, the program says so in one line that names it, and ends.
@Suite struct BadInputTests {
    static let configurations: [BadInput] = [
        .configuration("no model_type and no architecture", naming: "model_type") {
            $0["model_type"] = nil
            $0["architectures"] = nil
        },
        .configuration("an unknown model_type", naming: "model_type", "llama") {
            $0["model_type"] = "llama"
        },
        .configuration("no hidden_size", naming: "hidden_size") { $0["hidden_size"] = nil },
        .configuration("hidden_size is a text", naming: "hidden_size") {
            $0["hidden_size"] = "256"
        },
        .configuration("hidden_size is negative", naming: "hidden_size") {
            $0["hidden_size"] = -256
        },
        .configuration("hidden_size is huge", naming: "hidden_size") {
            $0["hidden_size"] = 1_000_000_000_000
        },
        .configuration("no layers", naming: "num_hidden_layers") { $0["num_hidden_layers"] = 0 },
        .configuration("layers without end", naming: "num_hidden_layers") {
            $0["num_hidden_layers"] = Int.max
        },
        .configuration("an unknown activation", naming: "hidden_act") { $0["hidden_act"] = "gelu" },
        .configuration("an unknown scoring", naming: "scoring_func") { $0["scoring_func"] = "max" },
        .configuration("an unknown top-k method", naming: "topk_method") {
            $0["topk_method"] = "any"
        },
        .configuration("groups that do not divide the experts", naming: "n_group") {
            $0["n_group"] = 5
        },
        .configuration("more experts a token than there are", naming: "num_experts_per_tok") {
            $0["num_experts_per_tok"] = 17
        },
        .configuration("an unknown quantization", naming: "quant_method") {
            $0["quantization_config"] = ["quant_method": "gptq"]
        },
        .configuration("attention biases", naming: "attention_bias") {
            $0["attention_bias"] = true
        },
        .configuration("an odd rope width", naming: "qk_rope_head_dim") {
            $0["qk_rope_head_dim"] = 15
        },
        .configuration("an unknown rope scaling", naming: "rope_scaling") {
            $0["rope_scaling"] = ["type": "linear", "factor": 2]
        },
    ]

    static let files: [BadInput] = [
        .file("no config.json", "config.json", naming: "config.json", bytes: nil),
        .file(
            "config.json is no JSON", "config.json", naming: "config.json", bytes: Data("{".utf8)),
        .file(
            "config.json is a list", "config.json", naming: "config.json", bytes: Data("[]".utf8)),
        .file(
            "config.json is nested without end", "config.json", naming: "config.json",
            bytes: Data(String(repeating: "[", count: 100_000).utf8)),
        .file("no weights", "model.safetensors", naming: "model.safetensors", bytes: nil),
        .file("weights are empty", "model.safetensors", naming: "model.safetensors", bytes: Data()),
        .file(
            "weights are truncated", "model.safetensors", naming: "model.safetensors",
            bytes: try? Data(
                contentsOf: URL(filePath: SkeinProgram.gosling + "/model.safetensors")
            ).prefix(1 << 20)),
        .file(
            "the header is absurdly long", "model.safetensors", naming: "model.safetensors",
            bytes: Data(repeating: 255, count: 64)),
        .file(
            "the index is no JSON", "model.safetensors.index.json", naming: "index.json",
            bytes: Data("{\"weight_map\"".utf8)),
        .file(
            "the index names a missing shard", "model.safetensors.index.json",
            naming: "model-00002.safetensors",
            bytes: Data(#"{"weight_map": {"a": "model-00002.safetensors"}}"#.utf8)),
        .file(
            "the index leads out of the folder", "model.safetensors.index.json",
            naming: "../../etc/passwd",
            bytes: Data(#"{"weight_map": {"a": "../../etc/passwd"}}"#.utf8)),
        .file(
            "tokenizer.json is no JSON", "tokenizer.json", naming: "tokenizer.json",
            bytes: Data("nonsense".utf8)),
        .file(
            "tokenizer.json is of another kind", "tokenizer.json", naming: "tokenizer.json",
            bytes: Data(#"{"model": {"type": "Unigram", "vocab": []}}"#.utf8)),
    ]

    static let headers: [BadInput] = [
        .header("a header of nothing", naming: "header", text: ""),
        .header("a header that is a list", naming: "header", text: "[]"),
        .header("a header without tensors", naming: "belong to no tensor", text: "{}"),
        .header(
            "tensors that overlap", naming: "overlap",
            text: #"{"a": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]}, "#
                + #""b": {"dtype": "U8", "shape": [2], "data_offsets": [2, 4]}}"#),
        .header(
            "a tensor beyond the file", naming: "data_offsets [0, 9]",
            text: #"{"a": {"dtype": "U8", "shape": [9], "data_offsets": [0, 9]}}"#),
        .header(
            "an unknown element type", naming: "Q9",
            text: #"{"a": {"dtype": "Q9", "shape": [4], "data_offsets": [0, 4]}}"#),
        .header(
            "a tensor twice", naming: "stands there twice",
            text: #"{"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}, "#
                + #""a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}"#),
        .header(
            "a shape that overflows", naming: "shape",
            text: #"{"a": {"dtype": "U8", "shape": [9223372036854775807, 9], "#
                + #""data_offsets": [0, 4]}}"#),
        .weights("a missing tensor", naming: "model.norm.weight") {
            $0 = $0.replacing("\"model.norm.weight\"", with: "\"model.morn.weight\"")
        },
        .weights("a wrong shape", naming: "model.embed_tokens.weight") {
            $0 = $0.replacing("[4096,256]", with: "[256,4096]")
        },
    ]

    static let folders: [BadInput] = [
        .folder("an empty folder", naming: "config.json") { folder in
            let path = folder.path + "/empty"
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: false)
            return path
        },
        .folder("a missing folder", naming: "/nowhere") { $0.path + "/nowhere" },
        .folder("a file in place of a folder", naming: "file.txt") {
            try $0.write("no model", to: "file.txt")
        },
        .folder("a link to itself", naming: "loop") { folder in
            let path = folder.path + "/loop"
            try FileManager.default.createSymbolicLink(
                atPath: path, withDestinationPath: path)
            return path
        },
        BadInput("more stages than layers", naming: "--stages", "6 layers") { _ in
            ["generate", "--model", SkeinProgram.gosling, "--tokens", "1", "--stages", "7"]
        },
    ]

    static let prompts: [BadInput] = [
        .prompt("tokens are letters", naming: "--tokens", "'b'", arguments: "--tokens", "1,b,3"),
        .prompt("tokens are nothing", naming: "--tokens", arguments: "--tokens", ""),
        .prompt("tokens end in a comma", naming: "--tokens", arguments: "--tokens", "1,2,"),
        .prompt("a negative token", naming: "--tokens", "'-5'", arguments: "--tokens=-5"),
        .prompt(
            "a token of too many digits", naming: "--tokens", arguments: "--tokens",
            "99999999999999"),
        .prompt(
            "a token that is not in the vocabulary", naming: "4096", arguments: "--tokens", "1,4096"
        ),
        .prompt(
            "a prompt longer than the context", naming: "5 tokens", "4 positions",
            arguments: "--tokens",
            "1,2,3,4,5", "--context", "4"),
        .prompt(
            "a prompt longer than the model", naming: "1024 positions", arguments: "--tokens",
            String(repeating: "1,", count: 2_000) + "1"),
        .promptsFile("prompts are no JSON", text: "prompts"),
        .promptsFile("prompts are a list", naming: "prompts", text: "[[1, 2]]"),
        .promptsFile("prompts are missing", naming: "prompts", text: #"{"tokens": [[1]]}"#),
        .promptsFile("no prompt", naming: "empty", text: #"{"prompts": []}"#),
        .promptsFile("an empty prompt", naming: "prompts[1]", text: #"{"prompts": [[1], []]}"#),
        .promptsFile("a prompt of text", naming: "prompts[0]", text: #"{"prompts": ["hello"]}"#),
        .promptsFile("a token of text", naming: "prompts[0][1]", text: #"{"prompts": [[1, "2"]]}"#),
        .promptsFile(
            "a fraction of a token", naming: "prompts[0][0]", text: #"{"prompts": [[1.5]]}"#),
        .promptsFile("a token below zero", naming: "prompts[0][0]", text: #"{"prompts": [[-1]]}"#),
        .promptsFile(
            "a token beyond the vocabulary", naming: "9999", text: #"{"prompts": [[1, 9999]]}"#
        )
        .anywhere,
        BadInput("a file of prompts that is missing", naming: "/none.json") { folder in
            [
                "score", "--model", SkeinProgram.gosling, "--tokens-json",
                folder.path + "/none.json",
            ]
        },
        BadInput("a text that is missing", naming: "/none.txt") { folder in
            ["score", "--model", SkeinProgram.gosling, "--text-file", folder.path + "/none.txt"]
        },
        BadInput("a text that is a folder", naming: "skein-test") { folder in
            ["score", "--model", SkeinProgram.gosling, "--text-file", folder.path]
        },
        BadInput("a text that is not UTF-8", naming: "bytes.txt", "UTF-8") { folder in
            let path = folder.path + "/bytes.txt"
            try Data([0x41, 0xFF, 0xFE]).write(to: URL(filePath: path))
            return ["score", "--model", SkeinProgram.gosling, "--text-file", path]
        },
        BadInput("an output that cannot be written", naming: "/none/out") { folder in
            let file = try folder.write(#"{"prompts": [[1, 2]]}"#, to: "prompts.json")
            return [
                "score", "--model", SkeinProgram.gosling, "--tokens-json", file, "--out",
                folder.path + "/none/out",
            ]
        },
        BadInput("a stop text without a tokenizer", naming: "--stop") { _ in
            [
                "generate", "--model", SkeinProgram.golden("oracle/v3"), "--tokens", "1,2",
                "--stop", "x",
            ]
        },
        BadInput("a prompt without a tokenizer", naming: "tokenizer.json") { _ in
            ["generate", "--model", SkeinProgram.golden("oracle/v3"), "--prompt", "x"]
        },
        BadInput("a chat without a chat format", naming: "chat format") { folder in
            let model = try Bent.gosling(in: folder) { $0["model_type"] = nil }
            let plain = Data(#"{"chat_template": "{{ messages }}"}"#.utf8)
            try Bent.replace("tokenizer_config.json", of: model, with: plain)
            return ["generate", "--model", model, "--chat", "x"]
        },
        BadInput("a secret file that exists", naming: "taken.secret") { folder in
            ["keys", "new", "--out", try folder.write("mine", to: "taken.secret")]
        },
        BadInput("a secret file of nonsense", naming: "odd.secret") { folder in
            ["keys", "show", try folder.write("nonsense", to: "odd.secret")]
        },
        BadInput("a configuration that is missing", naming: "/none.json") { folder in
            ["inspect", "--config", folder.path + "/none.json"]
        },
    ]

    static let clusters: [BadInput] =
        BadInput.cluster("broken YAML", replacing: "cluster: test", with: "cluster: [test")
        + BadInput.cluster("an unknown field", naming: "modle", replacing: "model:", with: "modle:")
        + BadInput.cluster(
            "an unknown placement", naming: "placement", replacing: "linear", with: "circle")
        + BadInput.cluster(
            "a context beyond the pages", naming: "context", replacing: "context: 1024",
            with: "context: 9999")
        + BadInput.cluster(
            "pages are a text", naming: "pages", replacing: "pages: 16", with: "pages: many")
        + BadInput.cluster(
            "an address without keys", naming: "public_key", replacing: "tcp://127.0.0.1:",
            with: "tcp://192.0.2.1:")
        + BadInput.cluster(
            "every address", naming: "address", replacing: "tcp://127.0.0.1:",
            with: "tcp://0.0.0.0:")
        + BadInput.cluster("a name twice", naming: "name", replacing: "node1", with: "node0")
        + BadInput.cluster("an alias", replacing: "cluster: test", with: "cluster: *test")
        + [
            BadInput("a node that is not in the file", naming: "ghost") { folder in
                let file = try await ClusterDraft(
                    model: SkeinProgram.gosling, positionCount: 1_024, nodeCount: 1
                ).write(in: folder)
                return ["node", "--cluster", file, "--name", "ghost"]
            },
            BadInput("a cluster whose model is missing", naming: "/nowhere") { folder in
                [
                    "up",
                    try await ClusterDraft(model: "/nowhere", positionCount: 64, nodeCount: 1)
                        .write(
                            in: folder),
                ]
            },
            BadInput("a cluster file that is missing", naming: "/none.yaml") { folder in
                ["up", folder.path + "/none.yaml"]
            },
        ]

    @Test(arguments: configurations + files + headers + folders + prompts + clusters)
    func brokenInputIsRefusedInOneLine(input: BadInput) async throws {
        let folder = try ScratchFolder()
        let run = try await SkeinProgram.run(try await input.command(folder), secondsMax: 30)
        #expect(run.status == 1)
        #expect(run.output == "")
        let lines = run.errors.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 2 && lines.last == "", "\(run.errors.prefix(2_000))")
        #expect(run.errors.hasPrefix("skein: error: "), "\(run.errors.prefix(500))")
        for name in input.names {
            #expect(run.errors.contains(name), "\(run.errors.prefix(500))")
        }
    }

    @Test func theTableHoldsSixtyBrokenThings() {
        let all =
            Self.configurations + Self.files + Self.headers + Self.folders + Self.prompts
            + Self.clusters
        #expect(all.count >= 60)
        #expect(Set(all.map(\.testDescription)).count == all.count)
    }

    @Test(arguments: [
        ["generate"], ["generate", "--prompt", "a", "--chat", "b"],
        ["generate", "--prompt", "a", "--stages", "0"],
        ["generate", "--prompt", "a", "--stages", "x"],
        ["generate", "--prompt", "a", "--placement", "ring"],
        ["generate", "--prompt", "a", "--temperature", "-1"],
        ["generate", "--prompt", "a", "--temperature", "nan"],
        ["generate", "--prompt", "a", "--top-p", "2"],
        ["generate", "--prompt", "a", "--max-tokens", "0"],
        ["generate", "--prompt", "a", "--threads", "0"],
        ["generate", "--prompt", "a", "--context", "0"],
        ["generate", "--prompt", "a", "--logprobs", "999"],
        ["generate", "--prompt", "a", "--system", "b"], ["generate", "--prompt", "a", "--no-such"],
        ["generate", "--prompt", "a", "--stop", ""], ["score"],
        ["score", "--text-file", "a", "--dump", "hidden"],
        ["score", "--text-file", "a", "--out", "b", "--dump", "all"],
        ["score", "--text-file", "a", "--chunk", "0"], ["up"], ["node", "--name", "a"], ["fly"],
        ["inspect", "--stages", "0"],
    ])
    func wrongUsageIsToldOnStandardErrorAlone(arguments: [String]) async throws {
        let run = try await SkeinProgram.run(arguments, secondsMax: 30)
        #expect(run.status == 2)
        #expect(run.output == "")
        // An option is refused by the library that reads the command line, a command by us.
        let isTold = run.errors.hasPrefix("Error: ") || run.errors.hasPrefix("skein: error: ")
        #expect(isTold, "\(run.errors)")
    }
}

extension BadInput {
    /// The same, where the line names what is wrong but not the file.
    fileprivate var anywhere: BadInput {
        BadInput(self, naming: Array(names.dropFirst()))
    }
}
