import Foundation
import SkeinCore
import Testing

@testable import SkeinText

/// Conversations that were made by a seed, with the prompts of independent encoders, where
/// `cluster/conversations` has written them.
@Suite struct GeneratedConversationTests {
    private static let folder = Golden.path(".build/conversations")

    static let files: [String] = {
        do {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            return names.filter { $0.hasSuffix(".json") }.sorted()
        } catch {
            return []
        }
    }()

    @Test(arguments: files)
    func everyConversationIsWrittenAsItsEncoderWritesIt(file: String) throws {
        let cases = try #require(try Golden.json(".build/conversations/\(file)")["cases"]?.array)
        #expect(!cases.isEmpty)
        for entry in cases { try ChatCase(entry).expectExactPrompt() }
    }
}
