import SkeinCore

/// Decides when each request of a load goes out: a value without clock and socket.
///
/// ```
///   arrival is due ──► waits for a slot ──► is sent ──► ends: its slot is free
/// ```
/// A request that has to wait for a slot keeps the time at which it was due, and its latency counts
/// from there: the server, not the load tester, is to blame for the wait.
struct ServingSchedule {
    /// What is to be done.
    enum Directive: Equatable {
        /// Send a request that was due at `due`.
        case send(index: Int, due: Duration)
        /// Come back at this time.
        case wake(at: Duration)
        /// All has been sent, and all has ended.
        case end
    }

    /// Requests that run now.
    private(set) var runningCount = 0
    /// The most that ran at once.
    private(set) var runningCountPeak = 0
    /// Requests sent so far.
    private(set) var sentCount = 0

    private let shape: LoadShape
    private let slotCount: Int
    private var arrivals: LoadShape.Arrivals
    private var nextArrival: Duration?
    private var arrivedCount = 0
    private var waiting: [Duration] = []
    private var waitingStart = 0
    private var wakesAt: Duration?
    private var isOver = false

    init(_ shape: LoadShape) {
        self.shape = shape
        slotCount = min(shape.concurrencyMax ?? .max, Limits.loadConnectionsMax)
        arrivals = shape.arrivals
        if !shape.isClosedLoop { nextArrival = arrivals.next() }
    }

    /// A time has come.
    mutating func onTime(_ now: Duration) -> [Directive] { fill(now) }

    /// A request has ended, well or not.
    mutating func onFinished(at now: Duration) -> [Directive] {
        runningCount -= 1
        return fill(now)
    }

    /// No more requests are wanted; those that run are still waited for.
    mutating func onStop(at now: Duration) -> [Directive] {
        isOver = true
        nextArrival = nil
        waiting = []
        waitingStart = 0
        return fill(now)
    }

    // MARK: Rooms

    private mutating func fill(_ now: Duration) -> [Directive] {
        var directives: [Directive] = []
        if let wakesAt, wakesAt <= now { self.wakesAt = nil }
        takeArrivals(until: now)
        while runningCount < slotCount, let due = takeDue(now) {
            directives.append(.send(index: sentCount, due: due))
            sentCount += 1
            runningCount += 1
            runningCountPeak = max(runningCountPeak, runningCount)
        }
        if let nextArrival, wakesAt == nil {
            wakesAt = nextArrival
            directives.append(.wake(at: nextArrival))
        }
        if runningCount == 0, waitingStart == waiting.count, nextArrival == nil,
            !closedLoopGoesOn(now)
        {
            directives.append(.end)
        }
        return directives
    }

    private mutating func takeArrivals(until now: Duration) {
        while let due = nextArrival, due <= now {
            guard isWithinEnd(due, count: arrivedCount) else {
                nextArrival = nil
                return
            }
            waiting.append(due)
            arrivedCount += 1
            nextArrival = isWithinEnd(.zero, count: arrivedCount) ? arrivals.next() : nil
        }
    }

    /// The time at which the next request was due, where one may go out.
    private mutating func takeDue(_ now: Duration) -> Duration? {
        if shape.isClosedLoop { return closedLoopGoesOn(now) ? now : nil }
        guard waitingStart < waiting.count else { return nil }
        let due = waiting[waitingStart]
        waitingStart += 1
        // What was taken is let go of from time to time, so that a long run does not keep it.
        if waitingStart > 1_024, waitingStart * 2 > waiting.count {
            waiting.removeFirst(waitingStart)
            waitingStart = 0
        }
        return due
    }

    private func closedLoopGoesOn(_ now: Duration) -> Bool {
        shape.isClosedLoop && !isOver && isWithinEnd(now, count: sentCount)
    }

    private func isWithinEnd(_ time: Duration, count: Int) -> Bool {
        switch shape.end {
        case .requestCount(let wanted): count < wanted
        case .duration(let wanted): time < wanted
        }
    }
}
