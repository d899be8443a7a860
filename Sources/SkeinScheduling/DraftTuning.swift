import SkeinCore

/// Finds out how many drafts pay.
///
/// A draft that is right saves a round; every draft costs a row, and rows of different tokens read
/// different experts, so it is dearest where few sequences decode. Nothing of that is assumed: for
/// micro-batches of like size the tokens of a sequence in a unit of time are measured without
/// drafts and with some. What is best stays, and is held against its neighbours for a few steps
/// now and then, the more rarely the more often nothing better was found. A trial in which nothing
/// is right ends after a few drafts, so that models that guess badly lose less than a fiftieth.
struct DraftTuning: Equatable, Sendable {
    /// Steps by which a number of drafts is judged.
    static let trialSteps = 8

    /// Steps before the first trial: what it costs where nothing is right is little beside them.
    static let firstSteps = 256

    /// Steps between two trials, at first and at most.
    static let restSteps = 512...4_096

    /// A trial ends when so many drafts were looked at and none was right.
    static let wrongDraftsMax = 3

    /// Where nothing is guessed, so many sequences of so many are read along all the same, so that
    /// trials find some.
    private static let readCount = (some: 32, all: 256)

    private var sizes = [SizeTuning](repeating: SizeTuning(), count: 12)
    /// The size of the micro-batch that came back last.
    private var place = 0
    private var sequenceCount = 0

    /// Drafts to ask for now.
    func count(_ speculation: Speculation) -> Int {
        speculation == .auto ? sizes[place].trying : speculation.draftsMax
    }

    /// Whether the prediction layer reads the next sequence along.
    mutating func readsNext(_ speculation: Speculation) -> Bool {
        defer { sequenceCount += 1 }
        if speculation != .auto { return speculation != .off }
        let isPaying = !sizes[place].isSettled || sizes[place].best > 0
        return isPaying || sequenceCount % Self.readCount.all < Self.readCount.some
    }

    /// Takes in what a micro-batch gave in the time that it was away.
    mutating func onReturn(of microBatch: MicroBatch, tokenCount: Int, _ time: Duration) {
        let spans = microBatch.spans
        guard microBatch.phase == .decode, time > .zero,
            spans.allSatisfy({ $0.demand != nil && $0.tokens.count == 1 + $0.draftCount })
        else { return }
        let wanted = spans.map(\.draftsWantedCount).max() ?? 0
        let askingCount = spans.count { $0.draftsWantedCount > 0 }
        let carryingCount = spans.count { $0.draftCount > 0 }
        // The first step after a change pays for what the next one gains.
        let isSteady =
            wanted == 0
            ? carryingCount == 0
            : 4 * askingCount >= 3 * spans.count && 4 * carryingCount >= 3 * spans.count
        place = min(sizes.count - 1, spans.count.bitWidth - (spans.count - 1).leadingZeroBitCount)
        sizes[place].onStep(
            wanted: wanted, isSteady: isSteady,
            drafts: (judged: carryingCount, right: tokenCount - spans.count),
            tokens: Double(tokenCount) / Double(spans.count), seconds: time / .seconds(1))
    }
}

/// The same for micro-batches of like size.
struct SizeTuning: Equatable, Sendable {
    /// Tokens and time of late.
    private struct Speed: Equatable {
        var tokens = 0.0
        var seconds = 0.0

        var rate: Double { seconds > 0 ? tokens / seconds : 0 }

        mutating func add(_ moreTokens: Double, in moreSeconds: Double) {
            tokens = tokens * 0.95 + moreTokens
            seconds = seconds * 0.95 + moreSeconds
        }
    }

    /// What was best so far.
    private(set) var best = 0
    /// What is asked for now: the best, or what is held against it.
    private(set) var trying = 0
    /// Whether more was tried at least once.
    private(set) var isSettled = false

    private var speeds = [Speed](repeating: Speed(), count: Limits.draftsMax + 1)
    private var stepsLeft = DraftTuning.firstSteps
    /// Steps until a trial that nobody takes part in is given up.
    private var patience = Int.max
    private var rest = DraftTuning.restSteps.lowerBound
    private var triesMore = true
    /// Sequences of this trial whose drafts were judged, and drafts that were right.
    private var judgedCount = 0
    private var rightCount = 0

    /// Takes in a step.
    mutating func onStep(
        wanted: Int, isSteady: Bool, drafts: (judged: Int, right: Int) = (0, 0),
        tokens: Double, seconds: Double
    ) {
        judgedCount += drafts.judged
        rightCount += drafts.right
        if isSteady { speeds[wanted].add(tokens, in: seconds) }
        if patience < Int.max { patience -= 1 }
        if isSteady, wanted == trying { stepsLeft -= 1 }
        let isHopeless = rightCount == 0 && judgedCount >= DraftTuning.wrongDraftsMax
        if stepsLeft <= 0 {
            decide()
        } else if trying > best, isHopeless {
            rest = min(2 * rest, DraftTuning.restSteps.upperBound)
            settle()
        } else if patience <= 0 {
            settle()
        }
    }

    private mutating func decide() {
        guard trying != best else {
            // Up and down in turn; there is nothing below none and nothing above the most.
            let next = triesMore ? best + 1 : best - 1
            triesMore.toggle()
            return begin((0...Limits.draftsMax).contains(next) ? next : best == 0 ? 1 : best - 1)
        }
        // Drafts must pay clearly: what is measured varies a little.
        let bar = trying > best ? 1.02 : 1
        guard speeds[trying].rate > speeds[best].rate * bar else {
            rest = min(2 * rest, DraftTuning.restSteps.upperBound)
            return settle()
        }
        let wasMore = trying > best
        best = trying
        rest = DraftTuning.restSteps.lowerBound
        let next = wasMore ? best + 1 : best - 1
        guard (0...Limits.draftsMax).contains(next) else { return settle() }
        begin(next)
    }

    private mutating func begin(_ count: Int) {
        trying = count
        speeds[count] = Speed()
        judgedCount = 0
        rightCount = 0
        stepsLeft = DraftTuning.trialSteps
        patience = 4 * DraftTuning.trialSteps
    }

    private mutating func settle() {
        isSettled = true
        trying = best
        stepsLeft = rest
        patience = .max
    }
}
