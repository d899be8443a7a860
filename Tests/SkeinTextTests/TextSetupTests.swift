import Foundation
import SkeinCore
import Testing

@testable import SkeinText

@Suite struct TextSetupTests {
    @Test func theBundledModelsFolderIsRead() throws {
        let setup = try Tokenizer.fromFolder(Golden.path("cluster/models/gosling"))
        #expect(setup.chatFormat?.format == .deepSeekV31)
        #expect(setup.chatFormat?.source == "chat_format of tokenizer_config.json")
        #expect(setup.beginToken == 0 && setup.endTokens == [1])
        #expect(setup.generationDefaults.drawsTokens == true)
        #expect(setup.generationDefaults.samplingParameters.temperature == 0.6)
        #expect(setup.generationDefaults.samplingParameters.topP == 0.95)
        let tokens = setup.tokenizer.encode("a<think>", matchingAddedTokens: false)
        #expect(setup.completionPrompt("a<think>") == [0] + tokens)
    }

    @Test func aFolderWithoutTokenizerIsRefusedClearly() {
        let path = Golden.path("Tests/Golden/oracle/v3")
        #expect(
            throws: Refusal(
                path + "/tokenizer.json",
                "there is no such file; without it this model takes and gives token ids only")
        ) { try Tokenizer.fromFolder(path) }
    }

    @Test(arguments: [
        ("tokenizer_config.json", "[]", "expected an object"),
        ("tokenizer_config.json", "{", "is not valid JSON"),
        ("tokenizer_config.json", #"{"chat_format": "chatml"}"#, "expected one of deepseek-v2"),
        ("tokenizer_config.json", #"{"chat_format": 1}"#, "expected a string"),
        ("tokenizer_config.json", #"{"chat_format": "kimi-k2"}"#, "has no <|im_system|>"),
        ("tokenizer_config.json", #"{"bos_token": "<bos>"}"#, "expected one of the added_tokens"),
        ("tokenizer_config.json", #"{"eos_token": {"text": "x"}}"#, "is missing"),
        ("tokenizer_config.json", #"{"chat_template": 5}"#, "expected a string"),
        ("generation_config.json", #"{"temperature": "hot"}"#, "expected a number from 0.0"),
        ("generation_config.json", #"{"temperature": -1}"#, "expected a number from 0.0"),
        ("generation_config.json", #"{"top_p": 0}"#, "expected more than 0"),
        ("generation_config.json", #"{"top_p": 1.5}"#, "expected a number from 0.0 to 1.0"),
        ("generation_config.json", #"{"top_k": -5}"#, "expected a whole number from 0"),
        ("generation_config.json", #"{"do_sample": "yes"}"#, "expected true or false"),
        ("generation_config.json", #"{"eos_token_id": [1, -2]}"#, "expected a whole number"),
        ("generation_config.json", #"{"bos_token_id": 1e3}"#, "expected a whole number"),
        ("generation_config.json", "\u{1}", "is not valid JSON"),
    ])
    func aBrokenFileIsRefusedInOneLine(name: String, content: String, words: String) throws {
        let folder = try TemporaryFolder()
        try folder.link("tokenizer.json", to: Golden.goslingTokenizer)
        try folder.write(name, content)
        #expect {
            try Tokenizer.fromFolder(folder.path)
        } throws: { error in
            let line = "\(error)"
            return line.hasPrefix(folder.path) && line.contains(words) && !line.contains("\n")
        }
    }

    @Test func endTokensAreGatheredFromEveryFile() throws {
        let folder = try TemporaryFolder()
        try folder.link("tokenizer.json", to: Golden.goslingTokenizer)
        try folder.write("generation_config.json", #"{"eos_token_id": [7, 8]}"#)
        try folder.write("config.json", #"{"eos_token_id": 9, "model_type": "deepseek_v3"}"#)
        try folder.write(
            "tokenizer_config.json",
            #"{"eos_token": {"content": "</think>"}, "bos_token": "<think>"}"#)
        let setup = try Tokenizer.fromFolder(folder.path)
        #expect(setup.endTokens == [1, 7, 8, 9, 4_067])
        #expect(setup.beginToken == 4_066)
        #expect(setup.chatFormat?.format == .deepSeekV3 && setup.chatFormat?.isNamed == false)
        #expect(setup.generationDefaults.samplingParameters.temperature == 0)
    }

    @Test func aGuessedFormatTheTokenizerCannotWriteIsDropped() throws {
        let folder = try TemporaryFolder()
        try folder.link("tokenizer.json", to: Golden.goslingTokenizer)
        try folder.write("config.json", #"{"model_type": "kimi_k2"}"#)
        #expect(try Tokenizer.fromFolder(folder.path).chatFormat == nil)
    }

    @Test func aFileThatIsAFolderIsRefused() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: folder.path + "/tokenizer.json", withIntermediateDirectories: false)
        #expect(throws: Refusal(folder.path + "/tokenizer.json", "is a folder, expected a file")) {
            try Tokenizer.fromFolder(folder.path)
        }
    }
}

@Suite struct ChatFormatDetectionTests {
    @Test(arguments: [
        ("{% if not thinking is defined %}<｜User｜><｜Assistant｜></think>", ChatFormat.deepSeekV31),
        ("<｜User｜>{{ content.split('</think>')[-1] }}<｜Assistant｜><think>\\n", .deepSeekR1),
        ("<｜User｜>{{ content.split('</think>')[-1] }}<｜Assistant｜>", .deepSeekR1May),
        ("{{ bos_token }}<｜User｜><｜Assistant｜><｜tool▁sep｜>", .deepSeekV3),
        ("<｜User｜><｜DSML｜invoke", .deepSeekV32), ("<|im_user|>user<|im_middle|>", .kimiK2),
        ("<|im_middle|>{% if tools_ts_str %}<think>", .kimiK25),
        ("<|im_middle|><think>{{ preserve_thinking }}", .kimiK25),
        ("<|im_middle|><think></think>", .kimiK2Thinking),
        ("[gMASK]<sop><|system|>Reasoning Effort: Max", .glm52),
        ("[INST][/INST][TOOL_CALLS]{{ name }}[ARGS]", .mistralLarge3),
        ("[gMASK]<sop><|user|>", .glm47Flash), ("{{ 'User: ' }}{{ 'Assistant:' }}", .deepSeekV2),
    ])
    func aTemplateIsRecognised(template: String, format: ChatFormat) throws {
        #expect(ChatFormat.recognise(template: template) == format)
        let key = JSONValue.object([.init("chat_template", .string(template))])
        let found = try ChatFormat.detect(
            tokenizerConfiguration: key, templateFile: nil, modelType: nil
        ).finding
        #expect(found?.format == format)
        #expect(found?.source == "chat_template of tokenizer_config.json")
        let list = JSONValue.array([
            .object([.init("name", .string("rag")), .init("template", .string("[gMASK]"))]),
            .object([.init("name", .string("default")), .init("template", .string(template))]),
        ])
        let named = try ChatFormat.detect(
            tokenizerConfiguration: .object([.init("chat_template", list)]), templateFile: nil,
            modelType: nil
        ).finding
        #expect(named?.format == format)
        let file = try ChatFormat.detect(
            tokenizerConfiguration: nil, templateFile: template, modelType: "deepseek_v2"
        ).finding
        #expect(file?.format == format && file?.source == "chat_template.jinja")
    }

    /// What resembles a known format and is another is not taken for it.
    @Test(arguments: [
        "<|im_start|>", "<｜User｜><｜DSML｜tool_calls>", "[gMASK]<sop>/nothink",
        "[INST][TOOL_CALLS][ARGS][THINK]", "[INST][TOOL_CALLS][CALL_ID][ARGS]", "[INST] [/INST]",
    ])
    func anUnknownTemplateIsSaidInOneLine(template: String) throws {
        #expect(ChatFormat.recognise(template: template) == nil)
        let found = try ChatFormat.detect(
            tokenizerConfiguration: nil, templateFile: template, modelType: "deepseek_v3")
        #expect(found.finding?.format == .deepSeekV3)
        #expect(
            found.remark == "chat_template.jinja is of no chat format that is known here; taken is "
                + "deepseek-v3 by model_type deepseek_v3 of config.json")
    }

    @Test func whatTellsNothingGivesNothing() throws {
        let found = try ChatFormat.detect(
            tokenizerConfiguration: .object([]), templateFile: nil, modelType: "llama")
        #expect(found == ChatFormat.Detection())
    }
}

/// A folder that goes away with the test.
final class TemporaryFolder {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: path) } catch { print(error) }
    }

    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/" + name))
    }

    func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(
            atPath: path + "/" + name, withDestinationPath: target)
    }
}
