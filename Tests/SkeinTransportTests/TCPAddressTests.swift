import SkeinCore
import Testing

@testable import SkeinTransport

@Suite struct TCPAddressTests {
    @Test(arguments: [
        "tcp://127.0.0.1:7001", "tcp://10.0.0.7:*", "tcp://[::1]:7001", "tcp://[fe80::1%eth0]:1",
        "tcp://node-3.example.org:65535", "tcp://localhost:7001", "tcp://*:7001",
    ])
    func anAddressReadsBackAsItWasWritten(text: String) throws {
        #expect(try TCPAddress(parsing: text).description == text)
    }

    @Test(arguments: [
        ("", "expected tcp://host:port"),
        ("127.0.0.1:7001", "expected tcp://host:port"),
        ("udp://127.0.0.1:7001", "expected tcp://host:port"),
        ("tcp://127.0.0.1", "port is missing"),
        ("tcp://127.0.0.1:", "port ''"),
        ("tcp://127.0.0.1:0", "port '0'"),
        ("tcp://127.0.0.1:65536", "port '65536'"),
        ("tcp://127.0.0.1:+7", "port '+7'"),
        ("tcp://127.0.0.1:7001/", "port '7001/'"),
        ("tcp://::1:7001", "needs brackets"),
        ("tcp://[::1:7001", "brackets"),
        ("tcp://[::g]:7001", "brackets"),
        ("tcp://[127.0.0.1]:7001", "brackets"),
        ("tcp://127.1:7001", "'127.1'"),
        ("tcp://2130706433:7001", "'2130706433'"),
        ("tcp://0x7f000001:7001", "'0x7f000001'"),
        ("tcp://127.0.0.01:7001", "'127.0.0.01'"),
        ("tcp://256.0.0.1:7001", "'256.0.0.1'"),
        ("tcp://:7001", "''"),
        ("tcp://a..b:7001", "'a..b'"),
        ("tcp://-a:7001", "'-a'"),
        ("tcp://10.0.0.1;10.0.0.2:7001", "no IPv4"),
        ("tcp://a b:7001", "'a b'"),
        ("tcp://\(String(repeating: "a", count: 400)):1", "408 bytes"),
    ])
    func aMalformedAddressIsRefused(text: String, reason: String) {
        let refusal = #expect(throws: Refusal.self) { try TCPAddress(parsing: text) }
        #expect(refusal?.reason.contains(reason) == true, "\(String(describing: refusal))")
    }

    @Test(arguments: [
        ("tcp://127.0.0.1:1", true), ("tcp://127.8.9.1:1", true), ("tcp://[::1]:1", true),
        ("tcp://[0:0:0:0:0:0:0:1]:1", true), ("tcp://[::ffff:127.0.0.1]:1", true),
        ("tcp://localhost:1", true), ("tcp://LocalHost:1", true), ("tcp://*:1", false),
        ("tcp://0.0.0.0:1", false), ("tcp://[::]:1", false), ("tcp://10.0.0.1:1", false),
        ("tcp://[::ffff:10.0.0.1]:1", false), ("tcp://localhost.example.org:1", false),
        ("tcp://[::2]:1", false),
    ])
    func onlyAddressesOfThisMachineAreLoopback(text: String, expected: Bool) throws {
        #expect(try TCPAddress(parsing: text).isLoopback == expected)
    }
}

@Suite struct LocalAddressesTests {
    @Test func thisMachineHoldsItsLoopbackAddress() throws {
        let local = try LocalAddresses()
        #expect(local.texts.contains("127.0.0.1"))
        #expect(try local.holds(TCPAddress(parsing: "tcp://127.0.0.1:7001")))
        #expect(try local.holds(TCPAddress(parsing: "tcp://localhost:7001")))
    }

    @Test func thisMachineDoesNotHoldADocumentationAddress() throws {
        let local = try LocalAddresses()
        #expect(try !local.holds(TCPAddress(parsing: "tcp://192.0.2.1:7001")))
        #expect(try !local.holds(TCPAddress(parsing: "tcp://[2001:db8::1]:7001")))
    }

    @Test func aNameWithoutAnAddressIsRefused() throws {
        let local = try LocalAddresses()
        let address = try TCPAddress(parsing: "tcp://no-such-host.invalid:7001")
        #expect(throws: Refusal.self) { try local.holds(address) }
    }
}
