import Testing

@testable import SkeinBench

@Suite struct ServingScheduleTests {
    @Test func aClosedLoopKeepsItsSlotsFull() {
        var schedule = ServingSchedule(
            LoadShape(concurrencyMax: 2, end: .requestCount(4)))
        #expect(
            schedule.onTime(.zero) == [.send(index: 0, due: .zero), .send(index: 1, due: .zero)])
        #expect(schedule.onFinished(at: .seconds(3)) == [.send(index: 2, due: .seconds(3))])
        #expect(schedule.onFinished(at: .seconds(5)) == [.send(index: 3, due: .seconds(5))])
        #expect(schedule.onFinished(at: .seconds(6)).isEmpty)
        #expect(schedule.onFinished(at: .seconds(7)) == [.end])
        #expect(schedule.runningCountPeak == 2)
    }

    @Test func aClosedLoopOfADurationEndsWithIt() {
        var schedule = ServingSchedule(
            LoadShape(concurrencyMax: 1, end: .duration(.seconds(10))))
        #expect(schedule.onTime(.zero) == [.send(index: 0, due: .zero)])
        #expect(schedule.onFinished(at: .seconds(9)) == [.send(index: 1, due: .seconds(9))])
        #expect(schedule.onFinished(at: .seconds(12)) == [.end])
    }

    @Test func anArrivalThatWaitsForASlotKeepsItsTime() throws {
        let shape = LoadShape(
            requestRate: 1, concurrencyMax: 1, end: .requestCount(3), seed: 5)
        let due = Array(shape.arrivals.prefix(3))
        var schedule = ServingSchedule(shape)
        #expect(schedule.onTime(.zero) == [.wake(at: due[0])])
        #expect(schedule.onTime(due[0]) == [.send(index: 0, due: due[0]), .wake(at: due[1])])
        #expect(schedule.onTime(due[1]) == [.wake(at: due[2])])
        #expect(schedule.onTime(due[2]).isEmpty)
        let late = due[2] + .seconds(30)
        #expect(schedule.onFinished(at: late) == [.send(index: 1, due: due[1])])
        #expect(schedule.onFinished(at: late) == [.send(index: 2, due: due[2])])
        #expect(schedule.onFinished(at: late) == [.end])
    }

    @Test func arrivalsThatWereSleptOverComeAtOnce() {
        let shape = LoadShape(requestRate: 10, end: .duration(.seconds(2)), seed: 1)
        let due = Array(shape.arrivals.prefix { $0 < .seconds(2) })
        var schedule = ServingSchedule(shape)
        _ = schedule.onTime(.zero)
        let sends = due.enumerated().map {
            ServingSchedule.Directive.send(index: $0.offset, due: $0.element)
        }
        #expect(schedule.onTime(.seconds(60)) == sends)
        for _ in due.dropFirst() { #expect(schedule.onFinished(at: .seconds(61)).isEmpty) }
        #expect(schedule.onFinished(at: .seconds(61)) == [.end])
    }

    @Test func aStopLetsOnlyWhatRunsComeToItsEnd() {
        var schedule = ServingSchedule(
            LoadShape(requestRate: nil, concurrencyMax: nil, end: .requestCount(6_000)))
        let sends = schedule.onTime(.zero)
        // Connections have a limit; what goes beyond it waits.
        #expect(sends.count == 4_096)
        #expect(schedule.onStop(at: .seconds(1)).isEmpty)
        for _ in 1..<4_096 { #expect(schedule.onFinished(at: .seconds(2)).isEmpty) }
        #expect(schedule.onFinished(at: .seconds(2)) == [.end])
    }

    @Test(arguments: 0..<40)
    func everyRequestGoesOutOnceAndNoneIsForgotten(_ seed: UInt64) {
        var numbers = SeededNumbers(seed: seed)
        let slots = Int.random(in: 1...5, using: &numbers)
        let count = Int.random(in: 1...60, using: &numbers)
        let shape = LoadShape(
            requestRate: Bool.random(using: &numbers) ? 5 : nil, burstiness: 0.5,
            concurrencyMax: slots, end: .requestCount(count), seed: seed)
        var schedule = ServingSchedule(shape)
        var now = Duration.zero
        var running = 0
        var sent: [Int] = []
        var wakes: [Duration] = []
        var hasEnded = false
        var directives = schedule.onTime(now)
        for _ in 0..<1_000 where !hasEnded {
            for directive in directives {
                switch directive {
                case .send(let index, let due):
                    #expect(due <= now, "seed \(seed)")
                    sent.append(index)
                    running += 1
                case .wake(let time): wakes.append(time)
                case .end: hasEnded = true
                }
            }
            #expect(running <= slots, "seed \(seed)")
            if !wakes.isEmpty, running == 0 || Bool.random(using: &numbers) {
                now = max(now, wakes.removeFirst())
                directives = schedule.onTime(now)
            } else if running > 0 {
                now += .milliseconds(Int.random(in: 1...500, using: &numbers))
                running -= 1
                directives = schedule.onFinished(at: now)
            }
        }
        #expect(hasEnded && running == 0, "seed \(seed)")
        #expect(sent == Array(0..<count), "seed \(seed)")
    }
}
