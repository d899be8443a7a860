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

    /// A tenant's cached prompts must not become another's because a line of the file has gone.
    @Test func keysThatReplaceOthersKeepTheirTenantsAndTakeNobodyElses() throws {
        let first = try APIKeys(text: "one\ntwo\n", file: "keys")
        let both = try APIKeys(text: "three\none\ntwo\n", file: "keys", replacing: first)
        #expect(both.admit(authorization: "Bearer one") == "key 0")
        #expect(both.admit(authorization: "Bearer two") == "key 1")
        #expect(both.admit(authorization: "Bearer three") == "key 2")
        let fewer = try APIKeys(text: "three\n", file: "keys", replacing: both)
        #expect(fewer.count == 1 && fewer.admit(authorization: "Bearer one") == nil)
        #expect(fewer.admit(authorization: "Bearer three") == "key 2")
        let later = try APIKeys(text: "four\none\nthree\n", file: "keys", replacing: fewer)
        #expect(later.admit(authorization: "Bearer four") == "key 3")
        #expect(later.admit(authorization: "Bearer one") == "key 4")
    }

    @Test func whoSharesPrefixesGoesOnToShare() throws {
        var first = try APIKeys(text: "one\n", file: "keys")
        first.sharesPrefixes = true
        let next = try APIKeys(text: "one\ntwo\n", file: "keys", replacing: first)
        #expect(next.admit(authorization: "Bearer two") == "")
    }

    @Test func aMissingFileIsRefused() {
        #expect(throws: Refusal.self) { try APIKeys(file: "/nonexistent/keys") }
    }
}
