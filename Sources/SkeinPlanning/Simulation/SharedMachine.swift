/// Cores that several hosts share: while they have more to do than there are cores, all of them run
/// slower by the same factor, as an operating system has it.
struct SharedMachine<Event> {
    /// Work of one host: parts that follow each other, each with what happens when it ends.
    struct Job {
        let host: Int
        let coreCount: Double
        /// Parts left, with nanoseconds that each takes on cores of its own.
        var parts: [(duration: Double, event: Event)]
        /// Whose measured time it counts for.
        let flight: Int?
        /// When it got the host's threads.
        var beganAt: UInt64 = 0
    }

    /// What has happened at one moment.
    struct Outcome {
        var events: [Event] = []
        /// Jobs that ended: the flight, and how long it had the threads.
        var ended: [(flight: Int, duration: UInt64)] = []
    }

    private let coreCount: Double
    private var running: [Job] = []
    private var waiting: [Job] = []
    private var updatedAt: UInt64 = 0

    /// Counts changes; an alarm that was set before the last one is void.
    private(set) var version = 0

    init(coreCount: Int) { self.coreCount = Double(coreCount) }

    /// When the next part ends if nothing else comes; `nil` where nothing runs.
    var nextEnd: UInt64? {
        guard let least = running.map(\.parts[0].duration).min() else { return nil }
        return updatedAt + UInt64((least * slowness).rounded(.up))
    }

    /// Takes up a job; a host runs one after the other.
    mutating func begin(_ job: Job, at time: UInt64) {
        advance(to: time)
        if running.contains(where: { $0.host == job.host }) {
            waiting.append(job)
        } else {
            start(job, at: time)
        }
        version += 1
    }

    /// Ends the parts that are done by now.
    mutating func end(at time: UInt64) -> Outcome {
        advance(to: time)
        var outcome = Outcome()
        var free: [Int] = []
        for index in running.indices.reversed() where running[index].parts[0].duration < 1 {
            outcome.events.append(running[index].parts.removeFirst().event)
            guard running[index].parts.isEmpty else { continue }
            let job = running.remove(at: index)
            free.append(job.host)
            if let flight = job.flight {
                outcome.ended.append((flight: flight, duration: time - job.beganAt))
            }
        }
        for host in free {
            guard let next = waiting.firstIndex(where: { $0.host == host }) else { continue }
            start(waiting.remove(at: next), at: time)
        }
        version += 1
        return outcome
    }

    private var slowness: Double {
        max(1, running.reduce(0) { $0 + $1.coreCount } / coreCount)
    }

    private mutating func start(_ job: Job, at time: UInt64) {
        running.append(job)
        running[running.count - 1].beganAt = time
    }

    private mutating func advance(to time: UInt64) {
        let done = Double(time - updatedAt) / slowness
        for index in running.indices { running[index].parts[0].duration -= done }
        updatedAt = time
    }
}
