import SkeinCore
import SkeinScheduling
import SkeinWeights

/// Runs the production schedule over a virtual clock, with the costs that the planner predicts.
///
///     arrival ─► schedule ─► stage 0 ─► … ─► last stage ─► return ─► schedule
///                             │ MoE layer: dispatch ─► experts ─► combine
///
/// Hosts and wires serve in the order of asking; a stage with experts on other hosts takes up
/// another micro-batch while one is away, as many as the plan says. Nothing is random but arrivals.
public struct RingSimulator {
    let costs: RingCosts
    let load: SimulatedLoad
    private let positionsBefore: Double
    private let stageHosts: [Int]
    private let hops: [LinkRate?]

    private var schedule: PipelineSchedule
    private var timeline = Timeline<Event>()
    private var flights: [Flight?] = []
    private var freeFlights: [Int] = []
    private var doors: [Door]
    private var machines: VirtualMachines
    private var clients: [SimulatedClient]
    private var nextClient = 0
    private var waitingClients: [Int] = []
    private var activeCount = 0
    private var deliveries: [(time: UInt64, tokenCount: Int)] = []
    private var fillPlannedAt: UInt64?
    private var now: UInt64 = 0
    private var eventCount = 0
    private var decodeMicroBatches = (count: 0, rowCount: 0)

    /// A stage's door: how many flights are within, and who waits.
    private struct Door {
        var withinCount = 0
        var waiting: [Int] = []
        let withinMax: Int
    }

    /// A micro-batch in the ring.
    private struct Flight {
        let microBatch: MicroBatch
        let costs: [StageCost]
        let rowCount: Double
        let sentAt: UInt64
        var stage = 0
        var layersLeft = 0
        /// When it began at its stage.
        var beganAt: UInt64 = 0
        var pendingCount = 0
        var stageTimes: [Duration] = []
    }

    /// Prepares a simulation of a planned cluster.
    public init(plan: ClusterPlan, load: SimulatedLoad) {
        let model = ModelCosts(ModelArithmetic(plan.configuration, serving: plan.wish.serving))
        let costs = RingCosts(model: model, hosts: plan.hosts, ring: plan.ring)
        self.init(costs: costs, load: load, wish: plan.wish)
    }

    /// - Parameter positionsBefore: positions that every row attends to beyond its sequence's own,
    ///   as if prompts had been run already.
    init(
        costs: RingCosts, load: SimulatedLoad, wish: PlanWish, positionsBefore: Double = 0
    ) {
        self.costs = costs
        self.positionsBefore = positionsBefore
        self.load = load
        stageHosts = costs.ring.stageHosts
        hops = costs.hops
        var settings = wish.settings
        settings.microBatchesInFlightMax = costs.ring.serving.microBatchesInFlightMax
        settings.reusesPrefixes = false
        schedule = PipelineSchedule(
            plan: .serving(settings, computeOwners: costs.ring.stageNodes),
            epoch: Epoch(rawValue: 1))
        let withinMax = costs.ring.shards.isEmpty ? Int.max : costs.ring.serving.stepsAtOnce
        doors = stageHosts.map { _ in Door(withinMax: withinMax) }
        machines = VirtualMachines(costs)
        clients = load.dueTimes().map { SimulatedClient(dueAt: $0) }
    }

    /// Runs until every request has ended.
    public mutating func run() -> SimulationReport {
        planArrivals()
        while let (time, event) = timeline.next() {
            now = time
            eventCount += 1
            happen(event)
        }
        return report()
    }

    private mutating func planArrivals() {
        if load.requestRate != nil {
            for (index, client) in clients.enumerated() {
                timeline.plan(.arrival(index), at: client.dueAt)
            }
        } else {
            let count = min(load.concurrencyMax ?? clients.count, clients.count)
            for index in 0..<count { timeline.plan(.arrival(index), at: 0) }
            nextClient = count
        }
    }

    private mutating func happen(_ event: Event) {
        switch event {
        case .arrival(let client): arrive(client)
        case .fill:
            fillPlannedAt = nil
            carryOut(schedule.fillRing())
        case .reach(let flight): reach(flight)
        case .layer(let flight): beginLayer(flight)
        case .dispatch(let flight): dispatch(flight)
        case .experts(let flight, let lane): askExperts(flight, lane)
        case .served(let flight, let lane): takeBack(flight, lane)
        case .combine(let flight): combine(flight)
        case .machine(let number, let version):
            machines.alarm(number, version: version, at: now, &timeline).forEach { happen($0) }
        case .leave(let flight): leave(flight)
        case .back(let flight): comeBack(flight)
        }
    }
}

// Clients and the schedule.
extension RingSimulator {
    private mutating func arrive(_ client: Int) {
        if load.requestRate != nil, let most = load.concurrencyMax, activeCount >= most {
            // It waits at the client's; its latency counts from when it was due.
            waitingClients.append(client)
            return
        }
        submit(client)
    }

    private mutating func submit(_ client: Int) {
        activeCount += 1
        let request = SequenceRequest(
            id: SequenceID(rawValue: UInt64(client) + 1),
            promptTokens: [TokenID](repeating: 0, count: load.promptTokenCount),
            stopRule: StopRule(completionTokensMax: load.newTokenCount))
        carryOut(schedule.onArrival(request))
        // Requests of one moment share micro-batches, so the ring is filled behind them.
        if fillPlannedAt != now {
            fillPlannedAt = now
            timeline.plan(.fill, at: now)
        }
    }

    private mutating func carryOut(_ directives: [Directive]) {
        for directive in directives {
            switch directive {
            case .send(let microBatch): send(microBatch)
            case .deliver(let id, let tokens):
                clients[index(id)].take(tokens.count, at: now)
                if load.requestRate == nil { deliveries.append((now, tokens.count)) }
            case .finished(let id, _): end(index(id), isRefused: false)
            case .refuse(let id, _), .busy(let id, _): end(index(id), isRefused: true)
            case .score, .release, .began, .drafted: break
            }
        }
    }

    private func index(_ id: SequenceID) -> Int { Int(id.rawValue) - 1 }

    private mutating func end(_ client: Int, isRefused: Bool) {
        clients[client].isRefused = isRefused
        clients[client].endedAt = now
        activeCount -= 1
        if load.requestRate == nil, nextClient < clients.count {
            clients[nextClient].dueAt = now
            timeline.plan(.arrival(nextClient), at: now)
            nextClient += 1
        } else if !waitingClients.isEmpty {
            timeline.plan(.arrival(waitingClients.removeFirst()), at: now)
        }
    }

    private mutating func send(_ microBatch: MicroBatch) {
        var shape = StepShape(microBatch)
        shape.positionSum += positionsBefore * shape.rowCount
        if microBatch.phase == .decode {
            decodeMicroBatches.count += 1
            decodeMicroBatches.rowCount += microBatch.spans.count { $0.tokens.count == 1 }
        }
        let flight = Flight(
            microBatch: microBatch, costs: costs.stageCosts(shape), rowCount: shape.rowCount,
            sentAt: now)
        let place: Int
        if let free = freeFlights.popLast() {
            place = free
            flights[free] = flight
        } else {
            place = flights.count
            flights.append(flight)
        }
        timeline.plan(.reach(place), at: now)
    }

    private mutating func comeBack(_ place: Int) {
        guard let flight = flights[place] else { return }
        flights[place] = nil
        freeFlights.append(place)
        var answer = TokenReturn(
            microBatch: flight.microBatch.id, epoch: flight.microBatch.epoch, tokens: [],
            stageTimes: flight.stageTimes)
        for span in flight.microBatch.spans where span.demand != nil {
            answer.tokens.append(
                SampledToken(
                    sequence: span.sequence, position: span.firstPosition + span.tokens.count,
                    token: 0))
        }
        do throws(Refusal) {
            let roundTime = Duration.nanoseconds(Int64(now - flight.sentAt))
            carryOut(try schedule.onReturn(answer, roundTime: roundTime))
        } catch {
            preconditionFailure("the schedule refused the return of its own micro-batch: \(error)")
        }
        carryOut(schedule.fillRing())
    }
}

// Stages, experts and links.
extension RingSimulator {
    private mutating func reach(_ place: Int) {
        guard let stage = flights[place]?.stage else { return }
        guard doors[stage].withinCount < doors[stage].withinMax else {
            doors[stage].waiting.append(place)
            return
        }
        doors[stage].withinCount += 1
        begin(place)
    }

    /// Begins a stage: all of it where its experts are local, else what comes before its first
    /// MoE layer.
    private mutating func begin(_ place: Int) {
        guard let flight = flights[place] else { return }
        let cost = flight.costs[flight.stage]
        let firstSeconds = cost.hopSeconds + cost.denseSeconds
        flights[place]?.beganAt = now
        flights[place]?.layersLeft = cost.remotes.isEmpty ? 0 : cost.mixtureCount
        if cost.remotes.isEmpty {
            compute(place, [(seconds: cost.computeSeconds, event: .leave(place))])
        } else if firstSeconds > 0 {
            compute(place, [(seconds: firstSeconds, event: .layer(place))])
        } else {
            beginLayer(place)
        }
    }

    /// Computes for a flight on its stage's host.
    private mutating func compute(_ place: Int, _ parts: [(seconds: Double, event: Event)]) {
        guard let stage = flights[place]?.stage else { return }
        machines.compute(parts, on: stageHosts[stage], from: now, flight: place, &timeline)
    }

    private mutating func beginLayer(_ place: Int) {
        guard let flight = flights[place] else { return }
        let cost = flight.costs[flight.stage]
        if flight.layersLeft > 0 {
            flights[place]?.layersLeft -= 1
            compute(place, [(seconds: cost.attendSeconds, event: .dispatch(place))])
        } else if cost.headSeconds > 0 {
            compute(place, [(seconds: cost.headSeconds, event: .leave(place))])
        } else {
            leave(place)
        }
    }

    private mutating func dispatch(_ place: Int) {
        guard let flight = flights[place] else { return }
        let cost = flight.costs[flight.stage]
        let lanes = machines.lanes[flight.stage]
        // The stage's own experts are one part of the sum.
        flights[place]?.pendingCount = lanes.count + 1
        for (index, lane) in lanes.enumerated() {
            let gone = machines.transmit(
                lane.sum(cost.remotes, \.sendingSeconds), from: stageHosts[flight.stage], at: now)
            let latency = lane.longest(cost.remotes, \.latencySeconds) / 2
            timeline.plan(.experts(place, lane: index), at: gone + nanoseconds(latency))
        }
        // Behind all that have become ready meanwhile.
        compute(place, [(seconds: cost.localSeconds, event: .combine(place))])
    }

    private mutating func askExperts(_ place: Int, _ index: Int) {
        guard let flight = flights[place] else { return }
        machines.compute(
            machines.lanes[flight.stage][index], flight.costs[flight.stage].remotes, from: now,
            then: .served(place, lane: index), &timeline)
    }

    private mutating func takeBack(_ place: Int, _ index: Int) {
        guard let flight = flights[place] else { return }
        let cost = flight.costs[flight.stage]
        let lane = machines.lanes[flight.stage][index]
        let latency = lane.longest(cost.remotes, \.latencySeconds) / 2
        let back = machines.receive(
            lane.sum(cost.remotes, \.returningSeconds), at: stageHosts[flight.stage],
            from: now + nanoseconds(latency))
        timeline.plan(.combine(place), at: back)
    }

    private mutating func combine(_ place: Int) {
        guard let pendingCount = flights[place]?.pendingCount else { return }
        flights[place]?.pendingCount = pendingCount - 1
        if pendingCount == 1 { beginLayer(place) }
    }

    /// What a stage tells the schedule of a step.
    private mutating func stageTime(_ flight: Flight, _ place: Int) -> Duration {
        let computed = machines.takeTime(ofFlight: place)
        // Elsewhere a step runs without a pause.
        guard !flight.costs[flight.stage].remotes.isEmpty else { return computed }
        return StepTime.occupied(
            computed: computed, stay: .nanoseconds(Int64(now - flight.beganAt)),
            concurrency: doors[flight.stage].withinMax)
    }

    private mutating func leave(_ place: Int) {
        guard let flight = flights[place] else { return }
        let stage = flight.stage
        let time = stageTime(flight, place)
        flights[place]?.stageTimes.append(time)
        if doors[stage].waiting.isEmpty {
            doors[stage].withinCount -= 1
        } else {
            let next = doors[stage].waiting.removeFirst()
            begin(next)
        }
        guard stage + 1 < stageHosts.count else {
            timeline.plan(.back(place), at: now + nanoseconds(costs.returnSeconds))
            return
        }
        flights[place]?.stage = stage + 1
        guard let link = hops[stage] else {
            timeline.plan(.reach(place), at: now)
            return
        }
        let seconds = flight.rowCount * costs.hopRowBytes / link.bytesPerSecond
        let gone = machines.transmit(seconds, from: stageHosts[stage], at: now)
        timeline.plan(.reach(place), at: gone + nanoseconds(link.latencySeconds))
    }
}

extension RingSimulator {
    private func report() -> SimulationReport {
        let done = clients.filter { !$0.isRefused && $0.endedAt != nil }
        let first = clients.map(\.dueAt).min() ?? 0
        let last = done.compactMap(\.endedAt).max() ?? first
        let seconds = Double(last - first) / 1e9
        func rate(_ count: Int) -> Double { seconds > 0 ? Double(count) / seconds : 0 }
        let tokenCount = done.reduce(0) { $0 + $1.tokenCount }
        return SimulationReport(
            completedCount: done.count, refusedCount: clients.count { $0.isRefused },
            seconds: seconds, requestsPerSecond: rate(done.count),
            outputTokensPerSecond: rate(tokenCount),
            totalTokensPerSecond: rate(tokenCount + done.count * load.promptTokenCount),
            steadyTokensPerSecond: steadyTokensPerSecond(done),
            timeToFirstToken: .init(done.compactMap(\.firstTokenSeconds)),
            timePerToken: .init(done.compactMap(\.secondsPerToken)),
            endToEnd: .init(done.compactMap(\.endToEndSeconds)),
            busyShares: machines.busyShares(over: last - first),
            microBatchCount: schedule.totals.returnCount,
            meanDecodeRowCount: decodeMicroBatches.count == 0
                ? 0 : Double(decodeMicroBatches.rowCount) / Double(decodeMicroBatches.count),
            decodeMicroBatchCount: schedule.plan.decodeMicroBatchCount,
            preemptionCount: schedule.totals.preemptionCount, eventCount: eventCount)
    }
}

extension RingSimulator {
    /// Tokens a second while all decode, in the later half of that time: the schedule has found its
    /// number of micro-batches by then.
    private func steadyTokensPerSecond(_ done: [SimulatedClient]) -> Double? {
        guard let first = done.compactMap(\.firstTokenAt).max(),
            let last = done.compactMap(\.endedAt).min(), first < last
        else { return nil }
        let middle = first + (last - first) / 2
        let within = deliveries.filter { $0.time > middle && $0.time <= last }
        guard let begin = deliveries.last(where: { $0.time <= middle })?.time,
            let end = within.last?.time, end > begin
        else { return nil }
        return Double(within.reduce(0) { $0 + $1.tokenCount }) / (Double(end - begin) / 1e9)
    }
}
