import Foundation
import SkeinCore
import Testing

@testable import SkeinTransport

/// Two hubs as if in two processes, and their bounds.
struct HubPair {
    let near: ZeroMQHub
    let far: ZeroMQHub

    init(settings: ZeroMQHub.Settings = ZeroMQHub.Settings()) throws {
        near = try ZeroMQHub(settings: settings)
        far = try ZeroMQHub(settings: settings)
    }

    func inbox() throws -> ZeroMQInbox { try far.bind(TCPAddress(parsing: "tcp://127.0.0.1:*")) }

    func link(to inbox: ZeroMQInbox) throws -> ZeroMQLink {
        try near.connect(to: TCPAddress(parsing: inbox.address), serverKey: nil)
    }

    func close() async {
        await near.close()
        await far.close()
    }
}

func impatient(_ timeout: Duration = .milliseconds(300)) -> ZeroMQHub.Settings {
    var settings = ZeroMQHub.Settings()
    settings.sendTimeout = timeout
    return settings
}

@Suite(.timeLimit(.minutes(2))) struct ZeroMQLinkTests {
    @Test func messagesArriveInOrderAndWhole() async throws {
        let pair = try HubPair()
        let inbox = try pair.inbox()
        let link = try pair.link(to: inbox)
        let sending = Task {
            for place in 0..<5_000 { try await link.send(numbered(place, padding: place % 97)) }
        }
        for place in 0..<5_000 {
            #expect(await inbox.next()?.frames == numbered(place, padding: place % 97))
        }
        try await sending.value
        await pair.close()
    }

    @Test func aFrameOf64MegabytesArrivesUnchanged() async throws {
        let pair = try HubPair()
        let inbox = try pair.inbox()
        let link = try pair.link(to: inbox)
        var bytes = [UInt8](repeating: 0, count: 64 << 20)
        for place in stride(from: 0, to: bytes.count, by: 4_093) {
            bytes[place] = UInt8(truncatingIfNeeded: place &* 31)
        }
        try await link.send([Frame([1]), Frame(bytes), Frame([])])
        let arrival = await inbox.next()
        #expect(arrival?.frames.map(\.byteCount) == [1, 64 << 20, 0])
        #expect(arrival?.frames[1].bytes == bytes)
        #expect(arrival?.peer == "127.0.0.1")
        await pair.close()
    }

    @Test func aWildcardPortIsReadable() async throws {
        let pair = try HubPair()
        let inbox = try pair.inbox()
        let port = try TCPAddress(parsing: inbox.address).port
        #expect((port ?? 0) > 0)
        #expect(inbox.address.hasPrefix("tcp://127.0.0.1:"))
        await pair.close()
    }

    @Test(arguments: ["tcp://localhost:*", "tcp://[::1]:*"])
    func otherFormsOfLoopbackWorkToo(text: String) async throws {
        if text.contains("::1"), try !LocalAddresses().texts.contains("::1") { return }
        let pair = try HubPair()
        let inbox = try pair.far.bind(TCPAddress(parsing: text))
        let link = try pair.link(to: inbox)
        try await link.send(numbered(1))
        #expect(number(of: await inbox.next()) == 1)
        await pair.close()
    }

    @Test func twoLinksReachOneInbox() async throws {
        let pair = try HubPair()
        let third = try ZeroMQHub()
        let inbox = try pair.inbox()
        let links = [
            try pair.link(to: inbox),
            try third.connect(to: TCPAddress(parsing: inbox.address), serverKey: nil),
        ]
        for (place, link) in links.enumerated() {
            Task { for step in 0..<500 { try await link.send(numbered(place * 1_000 + step)) } }
        }
        var next = [0, 0]
        for _ in 0..<1_000 {
            let found = try #require(number(of: await inbox.next()))
            #expect(found % 1_000 == next[found / 1_000])
            next[found / 1_000] += 1
        }
        #expect(next == [500, 500])
        await third.close()
        await pair.close()
    }

    @Test func aPeerThatNeverWasGivesAnErrorWithinTheBound() async throws {
        let pair = try HubPair(settings: impatient())
        let inbox = try pair.inbox()
        let address = try TCPAddress(parsing: inbox.address)
        await inbox.close()
        let link = try pair.near.connect(to: address, serverKey: nil)
        let start = ContinuousClock.now
        let error = await #expect(throws: LinkError.self) { try await link.send(numbered(1)) }
        #expect(error?.reason == .timedOut)
        #expect(error?.description.contains("nobody listens there") == true)
        #expect(start.duration(to: .now) < .seconds(20))
        await pair.close()
    }

    @Test func aPeerThatDiesIsReportedAndThenAnError() async throws {
        let pair = try HubPair(settings: impatient())
        let inbox = try pair.inbox()
        let link = try pair.link(to: inbox)
        var events = pair.near.events.makeAsyncIterator()
        try await link.send(numbered(1))
        #expect(number(of: await inbox.next()) == 1)
        #expect(await events.next()?.kind == .connected)
        await pair.far.close()
        #expect(await events.next()?.kind == .disconnected)
        let error = await #expect(throws: LinkError.self) { try await link.send(numbered(2)) }
        #expect(error?.reason == .timedOut)
        #expect(error?.description.contains("connection was lost") == true)
        // Its host is there and refuses: so the process is gone, which is known within moments.
        for _ in 0..<2 { #expect(await events.next()?.kind == .notReached) }
        await pair.near.close()
    }

    @Test func aPeerThatComesBackIsReachedAgain() async throws {
        let pair = try HubPair()
        let inbox = try pair.inbox()
        let link = try pair.link(to: inbox)
        var events = pair.near.events.makeAsyncIterator()
        #expect(await events.next()?.kind == .connected)
        await inbox.close()
        #expect(await events.next()?.kind == .disconnected)
        let second = try pair.far.bind(TCPAddress(parsing: inbox.address))
        try await link.send(numbered(2))
        #expect(number(of: await second.next()) == 2)
        await pair.close()
    }

    @Test func aSlowReaderHoldsTheSenderInsteadOfFillingMemory() async throws {
        var settings = impatient()
        settings.linkBytesMax = 1 << 20
        settings.inboxMessagesMax = 4
        let pair = try HubPair(settings: settings)
        let inbox = try pair.inbox()
        let link = try pair.link(to: inbox)
        var takenCount = 0
        let error = await #expect(throws: LinkError.self) {
            // 256 KiB each: a few in the link, the kernel, the socket and the inbox.
            while takenCount < 4_000 {
                try await link.send(numbered(takenCount, padding: 256 << 10))
                takenCount += 1
            }
        }
        #expect(error?.reason == .timedOut)
        #expect(takenCount >= 4 && takenCount < 200, "\(takenCount) messages were taken")
        for place in 0..<takenCount { #expect(number(of: await inbox.next()) == place) }
        try await link.send(numbered(99))
        #expect(number(of: await inbox.next()) == 99)
        await pair.close()
    }

    @Test func aCancelledSenderDoesNotWait() async throws {
        let pair = try HubPair(settings: impatient(.seconds(600)))
        let inbox = try pair.inbox()
        let address = try TCPAddress(parsing: inbox.address)
        await inbox.close()
        let link = try pair.near.connect(to: address, serverKey: nil)
        let sending = Task { try await link.send(numbered(1)) }
        sending.cancel()
        let error = await #expect(throws: LinkError.self) { try await sending.value }
        #expect(error?.reason == .cancelled)
        await pair.close()
    }

    @Test func closingReleasesReadersAndSenders() async throws {
        let pair = try HubPair(settings: impatient(.seconds(600)))
        let inbox = try pair.inbox()
        let link = try pair.link(to: inbox)
        let reader = Task { await inbox.next() }
        await inbox.close()
        #expect(await reader.value == nil)
        let sending = Task { try await link.send(numbered(1)) }
        await link.close()
        await #expect(throws: LinkError.self) { try await sending.value }
        let error = await #expect(throws: LinkError.self) { try await link.send(numbered(1)) }
        #expect(error?.reason == .closed)
        await pair.close()
    }

    @Test func messagesTakenBeforeClosingStillArrive() async throws {
        let pair = try HubPair()
        let inbox = try pair.inbox()
        let link = try pair.link(to: inbox)
        for place in 0..<200 { try await link.send(numbered(place, padding: 10_000)) }
        await pair.near.close()
        for place in 0..<200 { #expect(number(of: await inbox.next()) == place) }
        await pair.far.close()
    }

    @Test func aFrameOverTheLimitIsRefusedOnBothSides() async throws {
        var small = impatient()
        small.frameBytesMax = 1_000
        let sender = try ZeroMQHub(settings: impatient())
        let receiver = try ZeroMQHub(settings: small)
        let inbox = try receiver.bind(TCPAddress(parsing: "tcp://127.0.0.1:*"))
        let address = try TCPAddress(parsing: inbox.address)
        let careful = try receiver.connect(to: address, serverKey: nil)
        let careless = try sender.connect(to: address, serverKey: nil)
        let error = await #expect(throws: LinkError.self) {
            try await careful.send(numbered(1, padding: 1_001))
        }
        #expect(error?.reason == .tooLong)
        var events = sender.events.makeAsyncIterator()
        #expect(await events.next()?.kind == .connected)
        try await careless.send(numbered(2, padding: 1_001))
        #expect(await events.next()?.kind == .disconnected)
        try await careful.send(numbered(3))
        #expect(number(of: await inbox.next()) == 3)
        await sender.close()
        await receiver.close()
    }

    @Test func aMessageOverTheLimitIsDroppedAndReported() async throws {
        var small = ZeroMQHub.Settings()
        small.messageBytesMax = 1_000
        let pair = try HubPair(settings: small)
        let inbox = try pair.inbox()
        let link = try pair.link(to: inbox)
        try await link.send(numbered(1, padding: 600) + numbered(1, padding: 600))
        try await link.send(numbered(2))
        #expect(number(of: await inbox.next()) == 2)
        var events = pair.far.events.makeAsyncIterator()
        let event = await events.next()
        #expect(event?.kind == .messageDropped(reason: "more than 1000 bytes"))
        await pair.close()
    }

    @Test func hubsLeaveNoFilesOpen() async throws {
        let folder = "/proc/self/fd"
        guard FileManager.default.fileExists(atPath: folder) else { return }
        let before = try FileManager.default.contentsOfDirectory(atPath: folder).count
        for place in 0..<300 {
            let pair = try HubPair()
            let inbox = try pair.inbox()
            let link = try pair.link(to: inbox)
            try await link.send(numbered(place))
            #expect(number(of: await inbox.next()) == place)
            await pair.close()
        }
        let after = try FileManager.default.contentsOfDirectory(atPath: folder).count
        // Other tests run beside this one and hold some files for a while; a leak would be 300.
        #expect(after < before + 280, "\(before) files before, \(after) after")
    }
}
