import SkeinCore
import Testing

@Suite struct TCPAddressTests {
    @Test(arguments: [
        "tcp://127.0.0.1:7100", "tcp://192.0.2.10:65535", "tcp://[::1]:1", "tcp://*:7100",
        "tcp://[2001:db8::12]:7101", "tcp://[::ffff:192.0.2.1]:7101", "tcp://[fe80::1%eth0]:7101",
        "tcp://host-1.example:7100", "tcp://localhost:*", "tcp://[1:2:3:4:5:6:7:8]:9",
        "tcp://[::]:9", "tcp://[1::]:9",
    ])
    func aStrictAddressReadsBackAsWritten(_ text: String) throws {
        #expect(try TCPAddress(parsing: text).description == text)
    }

    @Test(arguments: [
        "", "tcp://", "127.0.0.1:7100", "udp://127.0.0.1:7100", "tcp://127.0.0.1",
        "tcp://127.0.0.1:", "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:+80",
        "tcp://127.0.0.1:80 ", "tcp://127.1:80", "tcp://2130706433:80", "tcp://0x7f.1:80",
        "tcp://127.0.0.01:80", "tcp://127.0.0.256:80", "tcp://::1:80", "tcp://[::1]",
        "tcp://[::1:80", "tcp://[1::2::3]:80", "tcp://[1:2:3:4:5:6:7]:80", "tcp://[:::]:80",
        "tcp://[1:2:3:4:5:6:7:8::]:80", "tcp://[12345::]:80", "tcp://[+1::]:80", "tcp://[]:80",
        "tcp://[127.0.0.1::]:80", "tcp://a b:80", "tcp://-a:80", "tcp://a..b:80", "tcp://a/b:80",
        "tcp://0x10:80", "tcp://" + String(repeating: "a", count: 400) + ":80",
    ])
    func anythingElseIsRefused(_ text: String) {
        #expect(throws: Refusal.self) { try TCPAddress(parsing: text) }
    }

    @Test(arguments: [
        ("tcp://127.0.0.1:1", true), ("tcp://127.8.9.10:1", true), ("tcp://LocalHost:1", true),
        ("tcp://[::1]:1", true), ("tcp://[0:0:0:0:0:0:0:1]:1", true),
        ("tcp://[::ffff:127.0.0.1]:1", true), ("tcp://128.0.0.1:1", false), ("tcp://*:1", false),
        ("tcp://0.0.0.0:1", false), ("tcp://[::]:1", false), ("tcp://[::127.0.0.1]:1", false),
        ("tcp://localhost.example:1", false), ("tcp://[::1%lo]:1", false),
    ])
    func onlyAddressesOfThisMachineAreLoopback(_ text: String, _ expected: Bool) throws {
        #expect(try TCPAddress(parsing: text).isLoopback == expected)
    }

    @Test(arguments: [
        ("tcp://*:1", true), ("tcp://0.0.0.0:1", true), ("tcp://[::]:1", true),
        ("tcp://[0:0::0]:1", true), ("tcp://127.0.0.1:1", false), ("tcp://a:1", false),
    ])
    func anAddressOfEveryInterfaceIsKnown(_ text: String, _ expected: Bool) throws {
        #expect(try TCPAddress(parsing: text).isEveryAddress == expected)
    }

    @Test func httpAddressesHaveNoScheme() throws {
        #expect(try TCPAddress(hostAndPort: "0.0.0.0:8080").hostAndPort == "0.0.0.0:8080")
        #expect(throws: Refusal.self) { try TCPAddress(hostAndPort: "http://127.0.0.1:8080") }
        #expect(throws: Refusal.self) { try TCPAddress(hostAndPort: "8080") }
    }
}
