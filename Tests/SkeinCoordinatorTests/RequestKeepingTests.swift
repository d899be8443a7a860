import SkeinCore
import SkeinJournal
import Testing

@testable import SkeinCoordinator

@Suite struct RequestKeepingTests {
    private static let id = SequenceID(rawValue: 1)

    private static func token(_ position: Int) -> SampledToken {
        SampledToken(sequence: id, position: position, token: TokenID(position))
    }

    /// A request with one answer that draws.
    private static func keeping(refusesUnwritten: Bool = false) -> RequestKeeping {
        var keeping = RequestKeeping(.written, refusesUnwritten: refusesUnwritten)
        let request = ClientRequest(
            id: "req_1", label: "mine", tenant: "", path: "/", body: "{}", acceptedAt: 0, seed: 0)
        _ = keeping.record(.accepted(request), now: .zero)
        _ = keeping.record(
            .drawing(id, request: "req_1", answer: 0, prompt: PromptMark([5, 6])), now: .zero)
        _ = keeping.onWritten(through: 2)
        return keeping
    }

    private static func tokens(_ directives: [HeadDirective]) -> [Int] {
        directives.compactMap {
            if case .yield(_, .token(let token)) = $0 { token.position } else { nil }
        }
    }

    @Test func aTokenIsShownWhenTheDiskHasIt() throws {
        var keeping = Self.keeping()
        for position in 2...3 {
            _ = keeping.record(.drawn(Self.token(position)), now: .zero)
            let seen1 = keeping.mayShow(.yield(Self.id, .token(Self.token(position))))
            #expect(!seen1)
        }
        #expect(keeping.shown(of: Self.id)?.events.isEmpty == true)
        let seen2 = Self.tokens(keeping.onWritten(through: 3))
        #expect(seen2 == [2])
        #expect(keeping.shown(of: Self.id)?.events.count == 1)
        let seen3 = Self.tokens(keeping.onWritten(through: 4))
        #expect(seen3 == [3])
        let seen4 = keeping.mayShow(.close(Self.id, nil))
        #expect(seen4)
    }

    @Test func whatTheDiskDoesNotTakeIsShownWithoutIt() {
        var keeping = Self.keeping()
        _ = keeping.record(.drawn(Self.token(2)), now: .zero)
        let seen5 = keeping.mayShow(.yield(Self.id, .token(Self.token(2))))
        #expect(!seen5)
        let full = Refusal("disk", "is full")
        let seen6 = Self.tokens(keeping.onFailed(full, now: .seconds(1)))
        #expect(seen6 == [2])
        #expect(keeping.standing == .failed(full) && keeping.refusal == nil)
        let seen7 = keeping.record(.drawn(Self.token(3)), now: .zero)
        #expect(seen7 == nil)
        let seen8 = keeping.mayShow(.yield(Self.id, .token(Self.token(3))))
        #expect(seen8)
        // Rewritten, it holds what was shown meanwhile.
        let number = keeping.beginRewriting()
        #expect(keeping.memory.answer(of: Self.id)?.tokens.count == 2)
        _ = keeping.record(.drawn(Self.token(4)), now: .zero)
        let seen9 = keeping.mayShow(.yield(Self.id, .token(Self.token(4))))
        #expect(!seen9)
        let seen10 = keeping.onWritten(through: number).isEmpty
        #expect(seen10)
        let seen11 = Self.tokens(keeping.onWritten(through: number + 1))
        #expect(seen11 == [4])
    }

    @Test func nothingNewIsTakenInWhereThatMustBeWritten() {
        var keeping = Self.keeping(refusesUnwritten: true)
        #expect(keeping.refusal == nil)
        _ = keeping.onFailed(Refusal("disk", "is full"), now: .zero)
        #expect(keeping.refusal?.reason == "cannot be written: disk: is full")
    }

    @Test func anAnswerIsKeptForAWhileAfterItsEnd() {
        var keeping = Self.keeping()
        func forgettable(_ now: Duration, bytesMax: Int = 1 << 20) -> [String] {
            keeping.forgettable(after: .seconds(600), bytesMax: bytesMax, now: now)
        }
        #expect(forgettable(.seconds(10_000)).isEmpty)
        _ = keeping.record(.ended(Self.id, .finished(.stop)), now: .seconds(10_000))
        #expect(forgettable(.seconds(10_599)).isEmpty)
        #expect(forgettable(.seconds(10_600)) == ["req_1"])
        #expect(forgettable(.seconds(10_001), bytesMax: 10) == ["req_1"])
    }

    @Test func whatNobodyCanAskForIsForgottenAtOnce() {
        var keeping = Self.keeping()
        _ = keeping.record(.ended(Self.id, .finished(.cancelled)), now: .zero)
        #expect(
            keeping.forgettable(after: .seconds(600), bytesMax: 1 << 20, now: .zero) == ["req_1"])
    }
}
