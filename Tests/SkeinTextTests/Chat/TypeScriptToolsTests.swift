import SkeinCore
import Testing

@testable import SkeinText

@Suite struct TypeScriptToolsTests {
    private func text(_ parameters: String, description: String = "") throws -> String? {
        let function = JSONValue.object([
            .init("name", .string("f")), .init("description", .string(description)),
            .init("parameters", try JSONValue(parsing: parameters, subject: "parameters")),
        ])
        let tool = JSONValue.object([
            .init("type", .string("function")), .init("function", function),
        ])
        return TypeScriptTools.text(of: [try ChatTool(parsing: tool, subject: "tool")])
    }

    /// A line feed belongs to the carriage return before it as a character, not as text.
    @Test(arguments: ["\n", "\r\n"])
    func everyLineOfADescriptionIsAComment(_ end: String) throws {
        let text = try #require(
            try text("{}", description: "Tells the time.\(end)\(end)In UTC."))
        for line in text.utf8.split(separator: UInt8(ascii: "\n")).map({ String(Substring($0)) })
        where line.contains("Tells") || line.contains("UTC") {
            #expect(line.hasPrefix("// "))
        }
    }

    /// The vendor's encoder gives up at these, and all tools are told as JSON.
    @Test(arguments: [
        #"{"oneOf":[{"type":"string"}]}"#, #"{"const":1}"#, #"{"minimum":1}"#, "5",
        ##"{"$ref":"#/$defs/None"}"##, ##"{"$ref":"#/properties/x"}"##,
        #"{"type":["string","any"]}"#,
        #"{"type":"string","enum":["a",1]}"#, #"{"type":["string","number"],"enum":["a"]}"#,
        #"{"type":"array","items":{"const":1}}"#, #"{"anyOf":[{"not":{}}]}"#,
        #"{"type":"object","additionalProperties":{"const":1}}"#,
    ])
    func aSchemaWithoutWordsLeavesTheListToJSON(schema: String) throws {
        #expect(try text(#"{"properties":{"x":\#(schema)}}"#) == nil)
        let tool = try ChatTool(
            parsing: JSONValue(
                parsing: #"{"type":"function","function":{"name":"f","parameters":"#
                    + #"{"properties":{"x":\#(schema)},"$defs":{}}}}"#, subject: "tool"),
            subject: "tool")
        let prompt = try ChatFormat.kimiK25.prompt([ChatMessage(.user, "?")], tools: [tool]).text
        #expect(
            prompt.contains(
                #"<|im_middle|>[{"function":{"name":"f","parameters":{"$defs":{},"properties":"#))
    }

    @Test(arguments: [
        ("{}", "any"), ("true", "any"), ("false", "null"), (#"{"type":"integer"}"#, "number"),
        (#"{"type":["string","null"],"enum":["a",null]}"#, #""a" | None"#),
        (#"{"type":"number","enum":[1,0.5]}"#, "1 | 0.5"), (#"{"type":"array"}"#, "Array<any>"),
        (#"{"type":"array","items":false}"#, "Array<any>"),
        (#"{"type":["integer","object"]}"#, "number | {}"),
    ])
    func aSchemaHasItsWords(schema: String, words: String) throws {
        #expect(try text(#"{"properties":{"x":\#(schema)}}"#)?.contains("x?: \(words)\n") == true)
    }

    @Test func definitionsStandInTheOrderOfTheirNames() throws {
        let text = try #require(
            try text(
                ##"{"$defs":{"Z":{"type":"object"},"A":{"type":"object"}},"##
                    + ##""properties":{"x":{"$ref":"#/$defs/Z","default":{"b":1,"a":2}}}}"##))
        #expect(text.contains("interface A {}\ninterface Z {}\n"))
        #expect(text.contains(#"// Default: {"a": 2, "b": 1}"# + "\n  x?: Z\n"))
    }

    @Test func aSchemaThatHoldsItselfIsNamed() throws {
        let text = try #require(
            try text(
                ##"{"properties":{"b":{"type":"string"},"a":{"$ref":"#"}},"required":["b"],"##
                    + #""additionalProperties":false}"#))
        #expect(
            text.contains(
                "interface parameters {\n  a?: parameters,\n  b: string\n}\n"
                    + "type f = (_: parameters) => any;"))
    }
}
