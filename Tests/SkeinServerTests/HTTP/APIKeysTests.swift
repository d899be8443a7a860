import SkeinCore
import Testing

@testable import SkeinServer

@Suite struct APIKeysTests {
    private static let text = "# people\nfirst-key\n\n  second-key  \n"

    @Test(arguments: ["Bearer first-key", "bearer second-key"])
    func aKnownKeyIsAdmittedAsATenantOfItsOwn(_ header: String) throws {
        var keys = try APIKeys(text: Self.text, file: "keys")
        let client = try #require(keys.admit(authorization: header))
        #expect(client.tenant == client.owner && client.owner.hasPrefix("key "))
        #expect(!client.owner.contains("first") && !client.owner.contains("second"))
        keys.sharesPrefixes = true
        #expect(keys.admit(authorization: header)?.tenant == "")
        // Who shares cached prompts does not share requests.
        #expect(keys.admit(authorization: header)?.owner == client.owner)
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

    /// A tenant's cached prompts must not become another's because a line of the file has gone.
    @Test func keysThatReplaceOthersKeepTheirTenantsAndTakeNobodyElses() throws {
        let first = try APIKeys(text: "one\ntwo\n", file: "keys")
        let both = try APIKeys(text: "three\none\ntwo\n", file: "keys", replacing: first)
        let names = ["one", "two", "three"].compactMap {
            both.admit(authorization: "Bearer \($0)")?.owner
        }
        #expect(Set(names).count == 3)
        #expect(first.admit(authorization: "Bearer one")?.owner == names[0])
        let fewer = try APIKeys(text: "three\n", file: "keys", replacing: both)
        #expect(fewer.count == 1 && fewer.admit(authorization: "Bearer one") == nil)
        #expect(fewer.admit(authorization: "Bearer three")?.owner == names[2])
        let later = try APIKeys(text: "four\none\n", file: "keys", replacing: fewer)
        #expect(later.admit(authorization: "Bearer one")?.owner == names[0])
    }

    @Test func whoSharesPrefixesGoesOnToShare() throws {
        var first = try APIKeys(text: "one\n", file: "keys")
        first.sharesPrefixes = true
        let next = try APIKeys(text: "one\ntwo\n", file: "keys", replacing: first)
        #expect(next.admit(authorization: "Bearer two")?.tenant == "")
    }

    @Test func aMissingFileIsRefused() {
        #expect(throws: Refusal.self) { try APIKeys(file: "/nonexistent/keys") }
    }
}
