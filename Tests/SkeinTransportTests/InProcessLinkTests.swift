import SkeinCore
import Testing

@testable import SkeinTransport

func numbered(_ number: Int, padding: Int = 0) -> [Frame] {
    let rest = [UInt8](repeating: UInt8(number & 0xFF), count: padding)
    return [Frame(Array("\(number)".utf8)), Frame(rest)]
}

func number(of arrival: Arrival?) -> Int? {
    arrival?.frames.first.flatMap { Int(String(decoding: $0.bytes, as: UTF8.self)) }
}

@Suite struct InProcessLinkTests {
    @Test func messagesArriveInOrderAndWhole() async throws {
        let inbox = InProcessInbox(name: "goose")
        let link = inbox.link()
        let sending = Task { for place in 0..<3_000 { try await link.send(numbered(place)) } }
        for place in 0..<3_000 {
            let arrival = await inbox.next()
            #expect(arrival?.frames == numbered(place))
            #expect(arrival?.peerKey == nil)
        }
        try await sending.value
    }

    @Test func aClosedInboxRefusesMessages() async throws {
        let inbox = InProcessInbox(name: "goose")
        let link = inbox.link()
        try await link.send(numbered(1))
        await inbox.close()
        let error = await #expect(throws: LinkError.self) { try await link.send(numbered(2)) }
        #expect(error?.reason == .closed)
        #expect(error?.description == "link to in-process:goose: the inbox of the peer is closed")
        #expect(number(of: await inbox.next()) == 1)
        #expect(await inbox.next() == nil)
    }

    @Test func theStreamOfArrivalsEndsWithTheInbox() async throws {
        let inbox = InProcessInbox(name: "goose")
        try await inbox.link().send(numbered(1))
        try await inbox.link().send(numbered(2))
        await inbox.close()
        var numbers: [Int?] = []
        for await arrival in inbox.arrivals { numbers.append(number(of: arrival)) }
        #expect(numbers == [1, 2])
    }
}

@Suite struct MailboxTests {
    private func arrival(_ place: Int, bytes: Int = 0) -> Arrival {
        Arrival(frames: numbered(place, padding: bytes), peerKey: nil, peer: "test")
    }

    @Test func aFullMailboxHoldsSendersUntilOneMessageIsTaken() async {
        let mailbox = Mailbox(messagesMax: 2, bytesMax: 1 << 20)
        #expect(await mailbox.put(arrival(0)) == nil)
        #expect(await mailbox.put(arrival(1)) == nil)
        #expect(!mailbox.hasRoom)
        async let third = mailbox.put(arrival(2))
        async let fourth = mailbox.put(arrival(3))
        var numbers: Set<Int> = []
        for _ in 0..<4 { if let found = number(of: await mailbox.next()) { numbers.insert(found) } }
        #expect(numbers == [0, 1, 2, 3])
        #expect(await third == nil)
        #expect(await fourth == nil)
    }

    @Test func bytesFillAMailboxToo() async {
        let mailbox = Mailbox(messagesMax: 100, bytesMax: 1_000)
        #expect(await mailbox.put(arrival(0, bytes: 5_000)) == nil)
        #expect(!mailbox.hasRoom)
        #expect(number(of: await mailbox.next()) == 0)
        #expect(mailbox.hasRoom)
    }

    @Test func closingReleasesEverybodyWhoWaits() async {
        let mailbox = Mailbox(messagesMax: 1, bytesMax: 1 << 20)
        #expect(await mailbox.put(arrival(0)) == nil)
        async let blocked = mailbox.put(arrival(1))
        mailbox.close()
        #expect(await blocked == .closed)
        #expect(number(of: await mailbox.next()) == 0)
        #expect(await mailbox.next() == nil)
    }

    @Test func aCancelledSenderLeavesNothingBehind() async {
        let mailbox = Mailbox(messagesMax: 1, bytesMax: 1 << 20)
        #expect(await mailbox.put(arrival(0)) == nil)
        let blocked = Task { await mailbox.put(arrival(1)) }
        blocked.cancel()
        #expect(await blocked.value == .cancelled)
        #expect(number(of: await mailbox.next()) == 0)
        #expect(mailbox.hasRoom)
    }

    @Test func aCancelledReaderMakesWayForTheNext() async {
        let mailbox = Mailbox()
        let reader = Task { await mailbox.next() }
        reader.cancel()
        #expect(await reader.value == nil)
        #expect(await mailbox.put(arrival(7)) == nil)
        #expect(number(of: await mailbox.next()) == 7)
    }

    @Test func takenMessagesDoNotAccumulate() async {
        let mailbox = Mailbox()
        #expect(await mailbox.put(arrival(0)) == nil)
        for place in 1...5_000 {
            #expect(await mailbox.put(arrival(place)) == nil)
            #expect(number(of: await mailbox.next()) == place - 1)
        }
        #expect(number(of: await mailbox.next()) == 5_000)
    }
}
