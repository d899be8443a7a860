import Foundation
import SkeinCore
import Testing

@testable import SkeinTransport

/// A datagram socket in the place of a service manager.
private final class ManagerSocket {
    let descriptor: Int32

    init(_ name: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(2 + bytes.count + (bytes[0] == 0 ? 0 : 1))
        let outcome = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length)
            }
        }
        try #require(outcome == 0)
    }

    func next() -> String {
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    deinit { close(descriptor) }
}

@Suite struct NotifySocketTests {
    @Test(arguments: ["@skein-test-\(UUID())", "/tmp/skein-test-\(UUID())"])
    func whatIsToldArrivesAtASocketOfEitherKind(_ name: String) throws {
        let socket = try ManagerSocket(name)
        let notifySocket = try #require(NotifySocket(environment: ["NOTIFY_SOCKET": name]))
        try notifySocket.tell("READY=1")
        #expect(socket.next() == "READY=1")
        try notifySocket.tell("STATUS=two\nlines")
        #expect(socket.next() == "STATUS=two lines")
        if name.hasPrefix("/") { try FileManager.default.removeItem(atPath: name) }
    }

    @Test func aManagerThatIsGoneIsARefusal() throws {
        let name = "/tmp/skein-test-\(UUID())"
        let notifySocket = try #require(NotifySocket(environment: ["NOTIFY_SOCKET": name]))
        let refusal = #expect(throws: Refusal.self) { try notifySocket.tell("READY=1") }
        #expect(refusal?.subject == name)
    }

    @Test(arguments: ["", "relative", "@", "/" + String(repeating: "x", count: 200)])
    func aNameThatIsNoneMeansThatThereIsNoManager(_ name: String) {
        #expect(NotifySocket(environment: ["NOTIFY_SOCKET": name]) == nil)
        #expect(NotifySocket(environment: [:]) == nil)
    }

    @Test(arguments: [
        (["WATCHDOG_USEC": "3000000"], Duration.milliseconds(1_500)),
        (["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"], .milliseconds(1_500)),
        (["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"], nil), (["WATCHDOG_USEC": "0"], nil),
        (["WATCHDOG_USEC": "soon"], nil), ([:], nil),
    ])
    func lifeIsShownAtHalfOfTheManagersBound(
        _ variables: [String: String], _ interval: Duration?
    ) throws {
        let environment = variables.merging(["NOTIFY_SOCKET": "/run/x"]) { $1 }
        let notifySocket = try #require(NotifySocket(environment: environment, processID: 7))
        #expect(notifySocket.heartbeatInterval == interval)
    }
}

@Suite struct ListenProbeTests {
    @Test func aPortThatIsTakenIsToldAndOneThatIsFreeIsNot() async throws {
        let hub = try ZeroMQHub()
        let inbox = try hub.bind(try TCPAddress(parsing: "tcp://127.0.0.1:*"))
        let address = try TCPAddress(parsing: inbox.address)
        let refusal = #expect(throws: Refusal.self) { try ListenProbe.check(address) }
        #expect(refusal?.reason.contains("in use") == true)
        await hub.close()
        try ListenProbe.check(address)
        try ListenProbe.check(try TCPAddress(parsing: "tcp://127.0.0.1:*"))
    }

    @Test func anAddressOfAnotherMachineCannotBeListenedAt() throws {
        #expect(throws: Refusal.self) {
            try ListenProbe.check(try TCPAddress(parsing: "tcp://192.0.2.77:7000"))
        }
    }
}

@Suite struct TrafficCounterTests {
    @Test func framesAndBytesOfBothWaysAreAddedUp() async throws {
        let hub = try ZeroMQHub()
        let inbox = try hub.bind(try TCPAddress(parsing: "tcp://127.0.0.1:*"))
        let link = try hub.connect(to: try TCPAddress(parsing: inbox.address), serverKey: nil)
        try await link.send([Frame([1, 2, 3]), Frame([4])])
        _ = await inbox.next()
        var expected = LinkTraffic()
        (expected.sentFrameCount, expected.sentByteCount) = (2, 4)
        (expected.receivedFrameCount, expected.receivedByteCount) = (2, 4)
        #expect(hub.traffic == expected)
        await hub.close()
    }
}
