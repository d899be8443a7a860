import Testing

@testable import SkeinPlanning

@Suite struct SharedMachineTests {
    private func job(_ host: Int, _ durations: [Double], _ events: [Int]) -> SharedMachine<Int>.Job
    {
        SharedMachine.Job(
            host: host, coreCount: 1,
            parts: zip(durations, events).map { (duration: $0, event: $1) }, flight: host)
    }

    /// Runs until nothing is left; what happened, and when.
    private func run(
        _ machine: inout SharedMachine<Int>
    ) -> (events: [(UInt64, Int)], ended: [Int: UInt64]) {
        var events: [(UInt64, Int)] = []
        var ended: [Int: UInt64] = [:]
        while let time = machine.nextEnd {
            let outcome = machine.end(at: time)
            events += outcome.events.map { (time, $0) }
            for (flight, duration) in outcome.ended { ended[flight, default: 0] += duration }
        }
        return (events, ended)
    }

    @Test func hostsWithACoreEachDoNotSlowEachOther() {
        var machine = SharedMachine<Int>(coreCount: 2)
        machine.begin(job(0, [1_000], [1]), at: 0)
        machine.begin(job(1, [1_500], [2]), at: 0)
        let (events, _) = run(&machine)
        #expect(events.map(\.0) == [1_000, 1_500] && events.map(\.1) == [1, 2])
    }

    @Test func moreHostsThanCoresSlowEachOtherWhileTheyRun() {
        var machine = SharedMachine<Int>(coreCount: 1)
        machine.begin(job(0, [1_000], [1]), at: 0)
        machine.begin(job(1, [3_000], [2]), at: 0)
        let (events, ended) = run(&machine)
        // Both at half speed until the first ends at 2,000; the other has 2,000 left then.
        #expect(events.map(\.0) == [2_000, 4_000])
        #expect(ended == [0: 2_000, 1: 4_000])
    }

    @Test func jobsOfOneHostFollowEachOtherAndAreMeasuredWithoutTheWait() {
        var machine = SharedMachine<Int>(coreCount: 4)
        machine.begin(job(0, [500, 500], [1, 2]), at: 100)
        machine.begin(job(0, [300], [3]), at: 100)
        let (events, ended) = run(&machine)
        #expect(events.map(\.0) == [600, 1_100, 1_400])
        #expect(ended == [0: 1_300])
    }

    @Test func anEarlierChangeMakesAnAlarmVoid() {
        var machine = SharedMachine<Int>(coreCount: 1)
        machine.begin(job(0, [1_000], [1]), at: 0)
        let version = machine.version
        machine.begin(job(1, [1_000], [2]), at: 500)
        #expect(machine.version != version)
        #expect(machine.nextEnd == 1_500)
    }
}
