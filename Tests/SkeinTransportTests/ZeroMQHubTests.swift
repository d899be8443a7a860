import SkeinCore
import Testing

@testable import SkeinTransport

@Suite(.timeLimit(.minutes(2))) struct ZeroMQHubTests {
    private let server = CurveKeyPair()
    private let client = CurveKeyPair()

    private func loopback() throws -> TCPAddress { try TCPAddress(parsing: "tcp://127.0.0.1:*") }

    @Test func aKeyOnTheAllowListIsAcceptedAndNamed() async throws {
        let far = try ZeroMQHub(keys: server, allowing: [client.publicKey])
        let near = try ZeroMQHub(keys: client)
        let inbox = try far.bind(loopback())
        let link = try near.connect(
            to: TCPAddress(parsing: inbox.address), serverKey: server.publicKey)
        try await link.send(numbered(1, padding: 100_000))
        let arrival = await inbox.next()
        #expect(arrival?.frames == numbered(1, padding: 100_000))
        #expect(arrival?.peerKey == client.publicKey)
        await near.close()
        await far.close()
    }

    @Test func aKeyThatIsNotOnTheAllowListIsRefusedAndBothSidesSaySo() async throws {
        let far = try ZeroMQHub(keys: server, allowing: [CurveKeyPair().publicKey])
        let near = try ZeroMQHub(keys: client, settings: impatient(.seconds(1)))
        let inbox = try far.bind(loopback())
        let link = try near.connect(
            to: TCPAddress(parsing: inbox.address), serverKey: server.publicKey)
        var farEvents = far.events.makeAsyncIterator()
        let refused = await farEvents.next()
        #expect(refused?.kind == .peerRefused(key: client.publicKey))
        #expect(refused?.address == "127.0.0.1")
        var nearEvents = near.events.makeAsyncIterator()
        let event = await nearEvents.next()
        #expect(event?.description.contains("not on its allow-list") == true)
        let error = await #expect(throws: LinkError.self) { try await link.send(numbered(1)) }
        #expect(error?.reason == .timedOut)
        #expect(error?.description.contains("not on its allow-list") == true)
        await near.close()
        await far.close()
    }

    @Test func aPeerWithAnotherKeyThanExpectedIsNotTrusted() async throws {
        let far = try ZeroMQHub(keys: server, allowing: [client.publicKey])
        let near = try ZeroMQHub(keys: client, settings: impatient(.seconds(1)))
        let inbox = try far.bind(loopback())
        let link = try near.connect(
            to: TCPAddress(parsing: inbox.address), serverKey: CurveKeyPair().publicKey)
        var events = near.events.makeAsyncIterator()
        let event = await events.next()
        #expect(event?.description.contains("handshake") == true)
        let error = await #expect(throws: LinkError.self) { try await link.send(numbered(1)) }
        #expect(error?.reason == .timedOut)
        #expect(error?.description.contains("handshake") == true, "\(String(describing: error))")
        await near.close()
        await far.close()
    }

    @Test(arguments: [true, false])
    func aPeerWithoutKeysDoesNotReachOneWithKeys(serverHasKeys: Bool) async throws {
        let far = try ZeroMQHub(
            keys: serverHasKeys ? server : nil, allowing: [client.publicKey])
        let near = try ZeroMQHub(
            keys: serverHasKeys ? nil : client, settings: impatient(.seconds(1)))
        let inbox = try far.bind(loopback())
        let link = try near.connect(
            to: TCPAddress(parsing: inbox.address),
            serverKey: serverHasKeys ? nil : server.publicKey)
        let error = await #expect(throws: LinkError.self) { try await link.send(numbered(1)) }
        #expect(error?.reason == .timedOut)
        #expect(error?.description.contains("handshake") == true, "\(String(describing: error))")
        await near.close()
        await far.close()
    }

    @Test func aKeyAllowedLaterIsAcceptedThen() async throws {
        let far = try ZeroMQHub(keys: server)
        let near = try ZeroMQHub(keys: client, settings: impatient(.seconds(30)))
        let inbox = try far.bind(loopback())
        let link = try near.connect(
            to: TCPAddress(parsing: inbox.address), serverKey: server.publicKey)
        var events = far.events.makeAsyncIterator()
        #expect(await events.next()?.kind == .peerRefused(key: client.publicKey))
        try far.allow([client.publicKey])
        try await link.send(numbered(1))
        #expect(await inbox.next()?.peerKey == client.publicKey)
        await near.close()
        await far.close()
    }

    @Test(arguments: ["tcp://0.0.0.0:*", "tcp://*:*", "tcp://[::]:*", "tcp://10.1.2.3:7001"])
    func anInboxBeyondLoopbackNeedsKeys(text: String) async throws {
        let hub = try ZeroMQHub()
        let address = try TCPAddress(parsing: text)
        let refusal = #expect(throws: Refusal.self) { _ = try hub.bind(address) }
        #expect(refusal?.reason.contains("needs CURVE keys") == true)
        await hub.close()
    }

    @Test func aLinkBeyondLoopbackNeedsTheKeyOfThePeer() async throws {
        let hub = try ZeroMQHub(keys: client)
        let address = try TCPAddress(parsing: "tcp://192.0.2.1:7001")
        let refusal = #expect(throws: Refusal.self) {
            _ = try hub.connect(to: address, serverKey: nil)
        }
        #expect(refusal?.reason.contains("needs the CURVE key") == true)
        await hub.close()
        let keyless = try ZeroMQHub()
        #expect(throws: Refusal.self) {
            _ = try keyless.connect(to: address, serverKey: server.publicKey)
        }
        await keyless.close()
    }

    @Test func withKeysAllAddressesOfTheMachineMayListen() async throws {
        let far = try ZeroMQHub(keys: server, allowing: [client.publicKey])
        let near = try ZeroMQHub(keys: client)
        let inbox = try far.bind(TCPAddress(parsing: "tcp://0.0.0.0:*"))
        let port = try #require(try TCPAddress(parsing: inbox.address).port)
        let link = try near.connect(
            to: loopback().with(port: port), serverKey: server.publicKey)
        try await link.send(numbered(1))
        #expect(await inbox.next()?.peerKey == client.publicKey)
        await near.close()
        await far.close()
    }

    @Test func anAddressInUseIsRefusedInOneLine() async throws {
        let hub = try ZeroMQHub()
        let inbox = try hub.bind(loopback())
        let address = try TCPAddress(parsing: inbox.address)
        let refusal = #expect(throws: Refusal.self) { _ = try hub.bind(address) }
        #expect(refusal?.description == "inbox \(address): cannot listen: Address already in use")
        await hub.close()
    }

    @Test func aMalformedKeyIsRefused() async throws {
        #expect(throws: Refusal.self) { _ = try ZeroMQHub(allowing: ["no key"]) }
        let hub = try ZeroMQHub(keys: client)
        #expect(throws: Refusal.self) { try hub.allow(["no key"]) }
        #expect(throws: Refusal.self) {
            _ = try hub.connect(
                to: TCPAddress(parsing: "tcp://127.0.0.1:1"), serverKey: "no key")
        }
        await hub.close()
    }

    @Test func aClosedHubOpensNothing() async throws {
        let hub = try ZeroMQHub()
        await hub.close()
        let address = try TCPAddress(parsing: "tcp://127.0.0.1:1")
        #expect(throws: Refusal.self) { _ = try hub.bind(address) }
        #expect(throws: Refusal.self) { _ = try hub.connect(to: address, serverKey: nil) }
        await hub.close()
    }
}
