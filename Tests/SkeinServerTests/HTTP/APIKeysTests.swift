import SkeinCore
import Testing

@testable import SkeinServer

@Suite struct APIKeysTests {
    private static let text = "# people\nfirst-key\n\n  second-key  \n"

    @Test(arguments: [("Bearer first-key", "key 0"), ("bearer second-key", "key 1")])
    func aKnownKeyIsAdmittedAsATenantOfItsOwn(_ header: String, _ tenant: String) throws {
        var keys = try APIKeys(text: Self.text, file: "keys")
        #expect(keys.admit(authorization: header) == tenant)
        keys.sharesPrefixes = true
        #expect(keys.admit(authorization: header) == "")
    }

    @Test(arguments: [
        nil, "", "first-key", "Basic first-key", "Bearer", "Bearer ", "Bearer first-ke",
        "Bearer first-key1", "Bearer first-keyfirst-key", "Bearer # people", "Bearer FIRST-KEY",
    ])
    func anythingElseIsNot(_ header: String?) throws {
        #expect(try APIKeys(text: Self.text, file: "keys").admit(authorization: header) == nil)
    }

    @Test(arguments: ["", "# nothing\n\n", "two words\n", "schlüssel\n"])
    func aFileWithoutUsableKeysIsRefused(_ text: String) {
        #expect(throws: Refusal.self) { try APIKeys(text: text, file: "keys") }
    }

    @Test func aMissingFileIsRefused() {
        #expect(throws: Refusal.self) { try APIKeys(file: "/nonexistent/keys") }
    }
}
