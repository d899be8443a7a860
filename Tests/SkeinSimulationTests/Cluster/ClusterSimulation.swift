import Logging
import SkeinCore
import SkeinJournal
import SkeinMembership
import SkeinPlanning
import SkeinScheduling
import SkeinWire

@testable import SkeinCoordinator

/// A client of a simulated cluster.
struct ClusterClient {
    var prompt: [TokenID]
    var seed: UInt64
    var expected: [TokenID]
    var cancelsAt: UInt64?
    /// The name of its request at the server.
    var requestName: String?
    /// By what the server recognises the request; without it an answer rests while it is away.
    var key: String?
    /// Whether the head that ended last had written down all that this client was shown.
    var isWritten = false
    var sequence: SequenceID?
    var received: [TokenID] = []
    var hasEnded = false
    var finish: FinishReason?
    var refusal: Refusal?
    /// Whether it may have failed.
    var isExcused = false
}

/// The production head and nodes without weights on a virtual clock and network.
///
/// Faults are drawn from a seed, every broken promise is noted, and the same seed gives the same
/// run.
struct ClusterSimulation {
    enum Event {
        case tick
        case toHead(SimulatedMessage, from: String)
        case toNode(String, process: UInt64?, SimulatedMessage)
        case wake(String, process: UInt64, SimulatedNode.Wake)
        case start(String)
        case fault(SimulatedFault)
        case linkBroke(String)
        case notReached(String)
        case arrival(Int)
        case cancel(Int)
        case leave(Int, for: UInt64)
        case comeBack(Int)
        case startHead
        case diskTurn(process: UInt64)
    }

    let seed: UInt64
    var numbers: SeededNumbers
    var timeline = Timeline<Event>()
    var head: Head
    var isHeadDown = false
    var headProcess: UInt64 = 1
    var headStartedAt: UInt64 = 0
    var disk = SimulatedDisk()
    var nodes: [String: SimulatedNode] = [:]
    /// Where the head's links lead.
    var headLinks: [String: String] = [:]
    var links: [String: SimulatedLink] = [:]
    var pausedUntil: [String: UInt64] = [:]
    var clients: [ClusterClient] = []
    var clientOf: [SequenceID: Int] = [:]
    var newestEpoch = Epoch.none
    var processCount: UInt64 = 0
    var eventCount = 0
    var faults: [String] = []
    private(set) var log: [String] = []
    let shape: SimulatedShape
    let pageCount = 24
    var watch = SickNodeWatch()
    var cannotLoadUntil: [String: UInt64] = [:]
    /// Sequences that may end with a refusal, since a stage has failed on them.
    var excused: Set<SequenceID> = []

    /// Virtual time within which faults begin, and after which everything must have ended.
    static let faultSpan: UInt64 = 40_000_000
    static let endMax: UInt64 = 240_000_000

    init(seed: UInt64, faultCount: Int = 20, configuration: ModelConfiguration) throws {
        self.seed = seed
        numbers = SeededNumbers(seed: seed)
        var serving = ServingSettings(positionCount: 512, pageCount: pageCount)
        let kinds = Speculation.allCases
        serving.speculation = kinds[Int(seed % UInt64(kinds.count))]
        shape = try SimulatedShape(configuration, serving: serving, &numbers)
        var settings = CoordinatorSettings(
            clusterName: "simulated", configuration: configuration, fingerprint: "f00d",
            placement: shape.placement, serving: serving, softwareVersion: "simulated")
        settings.standbys = shape.standbys
        settings.failoverPatience = shape.patience
        head = Head(settings: settings, address: "head", keeping: RequestKeeping(.written))
        planClients()
        let all = shape.names
        for (time, fault) in SimulatedFault.random(
            faultCount, nodes: all, within: Self.faultSpan, &numbers)
        {
            timeline.plan(.fault(fault), at: time)
        }
        planFailingSteps()
        for (number, name) in shape.mortals.enumerated() {
            let time = UInt64(number + 1) * 12_000_000
            timeline.plan(.fault(.kill(name, downFor: 2 * Self.endMax)), at: time)
        }
        for name in all {
            timeline.plan(.start(name), at: UInt64.random(in: 0...300_000, using: &numbers))
        }
        timeline.plan(.tick, at: 0)
    }

    private mutating func planClients() {
        let opening = tokens(Int.random(in: 60...150, using: &numbers))
        for number in 0..<24 {
            var prompt = tokens(Int.random(in: 1...120, using: &numbers))
            if numbers.chance(40) { prompt = opening + prompt }
            let count = Int.random(in: 1...60, using: &numbers)
            let seed = numbers.next() % 3
            let time = UInt64.random(in: 0...Self.faultSpan, using: &numbers)
            var client = ClusterClient(
                prompt: prompt, seed: seed,
                expected: SimulatedModel.alone(
                    prompt: prompt, newTokensMax: count, seed: seed,
                    expertCounts: shape.bytes.expertCounts))
            if numbers.chance(50) { client.key = "key \(number)" }
            if numbers.chance(10) {
                client.cancelsAt = time + UInt64.random(in: 0...3_000_000, using: &numbers)
            } else if numbers.chance(15) {
                let away = UInt64.random(in: 100_000...3_000_000, using: &numbers)
                timeline.plan(.leave(number, for: away), at: time + away)
            }
            clients.append(client)
            timeline.plan(.arrival(number), at: time)
        }
    }

    private mutating func tokens(_ count: Int) -> [TokenID] {
        (0..<count).map { _ in
            TokenID(Int.random(in: 0..<FakeModel.vocabularySize, using: &numbers))
        }
    }

    // MARK: Running

    mutating func run() {
        while let (time, event) = timeline.next(), faults.isEmpty {
            if let place = place(of: event), let until = pausedUntil[place], time < until {
                timeline.plan(event, at: until)
                continue
            }
            happen(event, time)
            eventCount += 1
            if eventCount % 16 == 0, !isHeadDown { faults += head.schedule.audit() }
            if time > Self.faultSpan, clients.allSatisfy(\.hasEnded) { break }
            if time > Self.endMax { break }
        }
        checkEnd()
    }

    /// Which process an event needs.
    private func place(of event: Event) -> String? {
        switch event {
        case .tick, .toHead, .linkBroke, .notReached, .arrival, .cancel, .leave, .comeBack,
            .diskTurn:
            SimulatedNode.headName
        case .toNode(let name, _, _), .wake(let name, _, _): name
        case .start, .startHead, .fault: nil
        }
    }

    private mutating func happen(_ event: Event, _ now: UInt64) {
        if isHeadDown, place(of: event) == SimulatedNode.headName { return miss(event, now) }
        let moment = headTime(now)
        switch event {
        case .tick:
            head.onTick(now: moment)
            checkVerdict(now)
            timeline.plan(.tick, at: now + 500_000)
        case .toHead(.envelope(let envelope), let peer):
            watch.heard[peer] = now
            head.onMessage(envelope, peer: peer, now: moment)
        case .toHead: faults.append("rows came to the head")
        case .toNode(let name, let process, let message):
            guard process == nil || nodes[name]?.process == process else { return }
            nodes[name]?.receive(message, now: now)
            carryOutNode(name, now)
        case .wake(let name, let process, let wake):
            guard nodes[name]?.process == process else { return }
            nodes[name]?.wake(wake, now: now)
            carryOutNode(name, now)
        case .start(let name): start(name, now)
        case .fault(let fault): happen(fault, now)
        case .linkBroke(let address): head.onLinkBroken(to: address, now: moment)
        case .notReached(let address):
            let (name, process) = Self.parts(of: address)
            if nodes[name]?.process != process { head.onNotReached(address, now: moment) }
        case .arrival(let number): arrive(number, now)
        case .cancel(let number):
            if let sequence = clients[number].sequence { head.cancel(sequence, now: moment) }
        case .leave(let number, let time): leave(number, for: time, now)
        case .comeBack(let number): comeBack(number, now)
        case .startHead:
            startHead(now)
            timeline.plan(.tick, at: now)
        case .diskTurn(let process): turnDisk(process, now)
        }
        if !isHeadDown { carryOutHead(now) }
    }

    /// Nobody is there to take the event; clients try again.
    private mutating func miss(_ event: Event, _ now: UInt64) {
        switch event {
        case .arrival, .cancel: timeline.plan(event, at: now + 200_000)
        case .comeBack(let number): comeBack(number, now)
        default: break
        }
    }

    private mutating func start(_ name: String, _ now: UInt64) {
        guard nodes[name] == nil else { return }
        processCount += 1
        nodes[name] = SimulatedNode(
            name: name, process: processCount, shape: shape, pageCount: pageCount,
            cannotLoadUntil: cannotLoadUntil[name] ?? 0, now: now)
        carryOutNode(name, now)
    }

    private mutating func happen(_ fault: SimulatedFault, _ now: UInt64) {
        log.append("\(now / 1_000) ms: \(fault)")
        switch fault {
        case .kill(let name, let downFor):
            guard let node = nodes.removeValue(forKey: name) else { return }
            pausedUntil[name] = nil
            let address = "\(name)-\(node.process)"
            timeline.plan(.linkBroke(address), at: now + 20_000)
            for time in [150_000, 450_000] as [UInt64] {
                timeline.plan(.notReached(address), at: now + time)
            }
            timeline.plan(.start(name), at: now + downFor)
        case .flap(let name, let times, let every):
            for number in 0..<UInt64(times) {
                timeline.plan(
                    .fault(.kill(name, downFor: every / 4)), at: now + number * every)
            }
        case .cannotLoad(let name, let time):
            cannotLoadUntil[name] = max(cannotLoadUntil[name] ?? 0, now + time)
            nodes[name]?.cannotLoadUntil = now + time
        case .pause(let name, let time):
            pausedUntil[name] = max(pausedUntil[name] ?? 0, now + time)
        case .cut(let from, let to, let time, let isLost):
            links["\(from) \(to)", default: SimulatedLink()].cutUntil = now + time
            links["\(from) \(to)"]?.losesWhileCut = isLost
        case .drop(let from, let to):
            links["\(from) \(to)", default: SimulatedLink()].dropsNext = true
        case .repeated(let from, let to, let after):
            links["\(from) \(to)", default: SimulatedLink()].repeatsNextAfter = after
        case .late(let from, let to, let by):
            links["\(from) \(to)", default: SimulatedLink()].delaysNextBy = by
        case .killHead(let downFor): killHead(downFor: downFor, now)
        case .fullDisk(let time): disk.fullUntil = max(disk.fullUntil, now + time)
        case .failStep(let name): nodes[name]?.failsNext = true
        case .falseBreak(let name):
            if let address = headLinks[name] { timeline.plan(.linkBroke(address), at: now) }
        }
    }

    // MARK: Directives

    private mutating func carryOutNode(_ name: String, _ now: UInt64) {
        guard let process = nodes[name]?.process else { return }
        for action in nodes[name]?.takeActions() ?? [] {
            switch action {
            case .wake(let wake, let after):
                timeline.plan(.wake(name, process: process, wake), at: now + after)
            case .failed(let sequences): excused.formUnion(sequences)
            case .fault(let line): faults.append(line)
            case .send(let message, let target):
                let arrivals = links["\(name) \(target)", default: SimulatedLink()]
                    .arrivals(now: now, &numbers)
                for time in arrivals {
                    timeline.plan(
                        target == SimulatedNode.headName
                            ? .toHead(message, from: name)
                            : .toNode(target, process: nil, message), at: time)
                }
            }
        }
    }

    private mutating func carryOutHead(_ now: UInt64) {
        if head.membership.epoch < newestEpoch { faults.append("an epoch fell") }
        newestEpoch = max(newestEpoch, head.membership.epoch)
        while true {
            let directives = head.takeDirectives()
            if directives.isEmpty { return }
            for directive in directives { carryOut(directive, now) }
        }
    }

    private mutating func carryOut(_ directive: HeadDirective, _ now: UInt64) {
        switch directive {
        case .connect(let name, let address, _):
            headLinks[name] = address
            head.onConnected(name, now: headTime(now))
        case .disconnect(let name, _): headLinks[name] = nil
        case .tell(let name, let envelope):
            guard let address = headLinks[name],
                let process = address.split(separator: "-").last.flatMap({ UInt64($0) })
            else { return }
            if envelope.epoch > head.membership.epoch { faults.append("an epoch from nowhere") }
            let arrivals = links["\(SimulatedNode.headName) \(name)", default: SimulatedLink()]
                .arrivals(now: now, &numbers)
            for time in arrivals {
                timeline.plan(.toNode(name, process: process, .envelope(envelope)), at: time)
            }
        case .record(let record, let number): hand(.append(record, number: number), now)
        case .rewrite(let records, let number): hand(.rewrite(records, through: number), now)
        case .yield(let id, let event): take(event, of: id)
        case .close(let id, let refusal): close(id, refusal)
        case .log(let level, let line, _):
            if level >= .notice { log.append("\(now / 1_000) ms: \(line)") }
        case .resume, .workOut, .report: break
        }
    }

    // MARK: Clients

    mutating func arrive(_ number: Int, _ now: UInt64) {
        clients[number].requestName = "r\(number) of head \(headProcess)"
        clients[number].received = []
        do throws(AdmissionError) {
            let id = try head.submit(request(number), now: headTime(now))
            clients[number].sequence = id
            clientOf[id] = number
            if let time = clients[number].cancelsAt {
                timeline.plan(.cancel(number), at: max(now, time))
            }
        } catch {
            faults.append("request \(number) was not taken in: \(error)")
        }
    }

    mutating func take(_ event: GenerationEvent, of id: SequenceID) {
        guard let number = clientOf[id] else {
            if head.keeping.memory.answer(of: id) == nil { faults.append("an event for nobody") }
            return
        }
        if clients[number].hasEnded { faults.append("request \(number): an event after its end") }
        switch event {
        case .token(let token):
            let place = clients[number].received.count
            guard place < clients[number].expected.count,
                clients[number].expected[place] == token.token,
                token.position == clients[number].prompt.count + place
            else { return faults.append("request \(number): another token than alone at \(place)") }
            clients[number].received.append(token.token)
        case .finished(let reason): clients[number].finish = reason
        case .began, .scored, .captured, .drafted: break
        }
    }

    mutating func close(_ id: SequenceID, _ refusal: Refusal?) {
        guard let number = clientOf[id] else { return }
        if clients[number].hasEnded { faults.append("request \(number) ended twice") }
        clients[number].hasEnded = true
        clients[number].refusal = refusal
        clients[number].isExcused = excused.contains(id)
    }

    private mutating func checkEnd() {
        guard faults.isEmpty else { return }
        faults += head.schedule.audit()
        for (number, client) in clients.enumerated() {
            if let refusal = client.refusal {
                guard !client.isExcused else { continue }
                faults.append("request \(number) failed: \(refusal)")
            } else if !client.hasEnded {
                if number == clients.firstIndex(where: { !$0.hasEnded }) {
                    let nodes = head.membership.nodes.sorted { $0.key < $1.key }.map {
                        "\($0.key) \($0.value.state) room \(head.nodes[$0.key]?.roomBytes ?? -1)"
                    }
                    log.append("at the end: \(nodes.joined(separator: "; "))")
                }
                faults.append(
                    "request \(number) starved after \(client.received.count) of "
                        + "\(client.expected.count) tokens")
            } else if client.finish != .cancelled, client.received != client.expected {
                faults.append("request \(number) ended early")
            }
        }
    }
}
