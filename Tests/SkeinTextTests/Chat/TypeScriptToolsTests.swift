import SkeinCore
import Testing

@testable import SkeinText

@Suite struct TypeScriptToolsTests {
    /// A line feed belongs to the carriage return before it as a character, not as text.
    @Test(arguments: ["\n", "\r\n"])
    func everyLineOfADescriptionIsAComment(_ end: String) throws {
        let tool: JSONValue = .object([
            .init("type", .string("function")),
            .init(
                "function",
                .object([
                    .init("name", .string("now")),
                    .init("description", .string("Tells the time.\(end)\(end)In UTC.")),
                ])),
        ])
        let text = TypeScriptTools.text(of: [try ChatTool(parsing: tool, subject: "tool")])
        for line in text.utf8.split(separator: UInt8(ascii: "\n")).map({ String(Substring($0)) })
        where line.contains("Tells") || line.contains("UTC") {
            #expect(line.hasPrefix("// "))
        }
    }
}
