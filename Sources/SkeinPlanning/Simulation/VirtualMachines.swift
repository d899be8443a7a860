import SkeinCore

/// The cores and wires of a planned ring's hosts on a virtual clock.
struct VirtualMachines {
    /// Hosts of experts that serve one stage alone work in step, so one server stands for them.
    struct Lane {
        /// Places among the stage's remotes.
        let places: [Int]
        /// The host whose server stands for them.
        let host: Int

        func sum(
            _ remotes: [StageCost.Remote], _ value: (StageCost.Remote) -> Double
        ) -> Double {
            places.reduce(0) { $0 + value(remotes[$1]) }
        }

        func longest(
            _ remotes: [StageCost.Remote], _ value: (StageCost.Remote) -> Double
        ) -> Double {
            places.reduce(0) { max($0, value(remotes[$1])) }
        }
    }

    /// The lanes of every stage.
    let lanes: [[Lane]]

    private var cores: [VirtualServer]
    private var senders: [VirtualServer]
    private var receivers: [VirtualServer]
    private var busySeconds: [Double]
    /// The place among `machines` of hosts that share one.
    private var machineNumbers: [Int: Int] = [:]
    private let coreCounts: [Double]
    private var machines: [SharedMachine<RingSimulator.Event>] = []
    /// Nanoseconds that each flight has had threads of its present stage.
    private var flightTimes: [Int: UInt64] = [:]

    init(_ costs: RingCosts) {
        let shape = StepShape(rowCount: 1, positionSum: 1, headRowCount: 1)
        let remotes = costs.stageCosts(shape).map { $0.remotes.map(\.host) }
        var stageCounts: [Int: Int] = [:]
        for host in remotes.flatMap({ $0 }) + costs.ring.nodeHosts {
            stageCounts[host, default: 0] += 1
        }
        let hosts = costs.hosts.hosts
        lanes = remotes.map { remotes in
            func isAlone(_ place: Int) -> Bool {
                stageCounts[remotes[place]] == 1 && hosts[remotes[place]].machine == nil
            }
            let alone = remotes.indices.filter(isAlone)
            return (alone.isEmpty ? [] : [Lane(places: alone, host: remotes[alone[0]])])
                + remotes.indices.filter { !isAlone($0) }.map {
                    Lane(places: [$0], host: remotes[$0])
                }
        }
        cores = hosts.map { _ in VirtualServer() }
        senders = cores
        receivers = cores
        busySeconds = hosts.map { _ in 0 }
        coreCounts = hosts.map { Double($0.coreCount) }
        let names = Set(hosts.compactMap(\.machine)).sorted()
        for (number, name) in names.enumerated() {
            machines.append(SharedMachine(coreCount: costs.hosts.machineCoreCounts[name] ?? 1))
            for index in hosts.indices where hosts[index].machine == name {
                machineNumbers[index] = number
            }
        }
    }

    /// Computes parts one after the other on a host, and plans what happens at the end of each.
    mutating func compute(
        _ parts: [(seconds: Double, event: RingSimulator.Event)], on host: Int, from time: UInt64,
        flight: Int?, _ timeline: inout Timeline<RingSimulator.Event>
    ) {
        let seconds = parts.reduce(0) { $0 + $1.seconds }
        busySeconds[host] += seconds
        if let number = machineNumbers[host] {
            machines[number].begin(
                SharedMachine.Job(
                    host: host, coreCount: coreCounts[host],
                    parts: parts.map { (duration: max(1, $0.seconds * 1e9), event: $0.event) },
                    flight: flight), at: time)
            plan(number, &timeline)
            return
        }
        if let flight { flightTimes[flight, default: 0] += nanoseconds(seconds) }
        var end = cores[host].serve(nanoseconds(seconds), from: time).begin
        for part in parts {
            end += nanoseconds(part.seconds)
            timeline.plan(part.event, at: end)
        }
    }

    /// Computes on all hosts of a lane at once, and plans what happens when the slowest ends.
    mutating func compute(
        _ lane: Lane, _ remotes: [StageCost.Remote], from time: UInt64,
        then event: RingSimulator.Event, _ timeline: inout Timeline<RingSimulator.Event>
    ) {
        for place in lane.places where remotes[place].host != lane.host {
            busySeconds[remotes[place].host] += remotes[place].expertSeconds
        }
        compute(
            [(seconds: lane.longest(remotes, \.expertSeconds), event: event)], on: lane.host,
            from: time, flight: nil, &timeline)
    }

    /// What ends on a shared machine now; nothing where the alarm is an old one.
    mutating func alarm(
        _ number: Int, version: Int, at time: UInt64,
        _ timeline: inout Timeline<RingSimulator.Event>
    ) -> [RingSimulator.Event] {
        guard machines[number].version == version else { return [] }
        let outcome = machines[number].end(at: time)
        for (flight, duration) in outcome.ended { flightTimes[flight, default: 0] += duration }
        plan(number, &timeline)
        return outcome.events
    }

    private func plan(_ number: Int, _ timeline: inout Timeline<RingSimulator.Event>) {
        guard let end = machines[number].nextEnd else { return }
        timeline.plan(.machine(number, version: machines[number].version), at: end)
    }

    /// How long a flight had threads since this was last asked: what a stage measures.
    mutating func takeTime(ofFlight flight: Int) -> Duration {
        .nanoseconds(Int64(flightTimes.removeValue(forKey: flight) ?? 0))
    }

    /// Sends from a host; returns when the wire is free again.
    mutating func transmit(_ seconds: Double, from host: Int, at time: UInt64) -> UInt64 {
        senders[host].serve(nanoseconds(seconds), from: time).end
    }

    /// Receives at a host; returns when all has come.
    mutating func receive(_ seconds: Double, at host: Int, from time: UInt64) -> UInt64 {
        receivers[host].serve(nanoseconds(seconds), from: time).end
    }

    /// The share of some time that each host that computed was busy.
    func busyShares(over time: UInt64) -> [Int: Double] {
        var shares: [Int: Double] = [:]
        for (host, seconds) in busySeconds.enumerated() where seconds > 0 && time > 0 {
            shares[host] = min(1, seconds * 1e9 / Double(time))
        }
        return shares
    }
}
