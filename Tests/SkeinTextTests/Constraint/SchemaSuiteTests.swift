import Foundation
import SkeinCore
import Testing

@testable import SkeinText

/// The public test suite of JSON Schema, draft 2020-12, where `cluster/schema-suite` has brought
/// it: of every schema that is not refused, no value that it rejects can be derived.
///
/// Not everything that a schema accepts can be: constraints take a schema that names no type for
/// one of its keywords' kind, offer no undeclared members or elements, and write a value in one
/// spelling.
@Suite struct SchemaSuiteTests {
    private static let folder = Golden.path(".build/json-schema-suite")

    static let files: [String] = {
        do {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            return names.filter { $0.hasSuffix(".json") }.sorted()
        } catch {
            return []
        }
    }()

    @Test(arguments: files)
    func whatASchemaRejectsCannotBeDerived(file: String) async throws {
        let setup = try await ConstraintRig.setup.value
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: "\(Self.folder)/\(file)")))
        let entries = try JSONValue(parsing: bytes, subject: file, rules: .lenient).array ?? []
        for entry in entries {
            let schema = try #require(entry["schema"])
            let grammar: ByteGrammar
            do throws(Refusal) {
                var writer = AnswerGrammar(setup.tokenizer)
                grammar = try writer.grammar(
                    AnswerDemand(content: .schema(schema, path: "schema")))
            } catch {
                continue
            }
            var memory = GrammarMemory(grammar)
            for test in entry["tests"]?.array ?? [] where test["valid"] == .bool(false) {
                let text = try #require(test["data"]).pythonText
                let end = memory.state(after: Array(text.utf8), in: grammar.beginning)
                #expect(end?.isComplete != true, "\(schema.line) has the answer \(text)")
            }
        }
    }

    /// Joining schemas must not drop what one of them says.
    @Test(arguments: ["unevaluatedProperties", "not", "if", "dependentRequired"])
    func aKeywordThatIsNotKeptIsRefusedInEveryPart(name: String) async throws {
        for part in ["anyOf", "oneOf", "allOf"] {
            let text =
                #"{"type":"object","properties":{"a":{}},"\#(part)":"#
                + #"[{"type":"object","\#(name)":{}}]}"#
            let schema = try JSONValue(parsing: text, subject: "schema")
            await #expect {
                _ = try await ConstraintRig(schema: schema)
            } throws: { ($0 as? Refusal)?.subject == "schema.\(part)[0].\(name)" }
        }
    }
}
