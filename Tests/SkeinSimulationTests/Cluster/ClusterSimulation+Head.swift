import SkeinCore
import SkeinJournal
import SkeinMembership
import SkeinPlanning

@testable import SkeinCoordinator

// The head's process ends and starts again, with its journal; clients come back.
extension ClusterSimulation {
    /// The head's own clock, which begins with its process.
    func headTime(_ now: UInt64) -> Duration { .microseconds(Int64(now - headStartedAt)) }

    mutating func killHead(downFor: UInt64, _ now: UInt64) {
        guard !isHeadDown else { return }
        isHeadDown = true
        disk.breakOff(&numbers)
        let wasWritten = head.keeping.standing == .written && !head.keeping.isRecovering
        headLinks = [:]
        pausedUntil[SimulatedNode.headName] = nil
        clientOf = [:]
        for number in clients.indices {
            clients[number].isWritten = wasWritten && clients[number].sequence != nil
            guard clients[number].sequence != nil else { continue }
            clients[number].sequence = nil
            guard !clients[number].hasEnded else { continue }
            let wait = UInt64.random(in: 50_000...3_000_000, using: &numbers)
            timeline.plan(.comeBack(number), at: now + downFor + wait)
        }
        timeline.plan(.startHead, at: now + downFor)
    }

    mutating func startHead(_ now: UInt64) {
        isHeadDown = false
        headProcess += 1
        headStartedAt = now
        watch = SickNodeWatch(awakeSince: now, lastTick: now)
        let memory = disk.read()
        checkShown(is: memory)
        head = Head(
            settings: head.settings, address: "head",
            keeping: RequestKeeping(
                now < disk.fullUntil ? .failed(Refusal("disk", "is full")) : .written,
                memory: memory))
        newestEpoch = head.membership.epoch
        for request in head.interrupted {
            guard let number = Int(request.body) else { continue }
            resume(number, request, now)
        }
    }

    /// Whatever a client was shown was written down before.
    private mutating func checkShown(is memory: RequestMemory) {
        for (number, client) in clients.enumerated() where client.isWritten && !client.hasEnded {
            guard !client.received.isEmpty, let name = client.requestName else { continue }
            let known = memory.requests[name]?.answers[0]?.tokens.map(\.token) ?? []
            if !known.starts(with: client.received) {
                faults.append("request \(number): was shown what was not written down")
            }
        }
    }

    mutating func hand(_ work: SimulatedDisk.Work, _ now: UInt64) {
        disk.hand(work)
        let delay = UInt64.random(in: 100...15_000, using: &numbers)
        timeline.plan(.diskTurn(process: headProcess), at: now + delay)
    }

    mutating func turnDisk(_ process: UInt64, _ now: UInt64) {
        guard process == headProcess, !isHeadDown, let outcome = disk.turn(now: now) else { return }
        head.onJournal(outcome, now: headTime(now))
    }

    // MARK: Clients

    func request(_ number: Int) -> GenerationRequest {
        let client = clients[number]
        var sampling = SamplingParameters()
        sampling.temperature = 1
        sampling.seed = client.seed
        let name = client.requestName ?? ""
        return GenerationRequest(
            promptTokens: client.prompt, newTokensMax: client.expected.count, sampling: sampling,
            origin: RequestOrigin(
                request: ClientRequest(
                    id: name, label: name, tenant: "", idempotencyKey: client.key, path: "/",
                    body: "\(number)", acceptedAt: 0, seed: client.seed),
                answer: 0))
    }

    /// A client asks again for what it has asked before.
    mutating func comeBack(_ number: Int, _ now: UInt64) {
        guard !clients[number].hasEnded, clients[number].sequence == nil else { return }
        guard !isHeadDown else { return timeline.plan(.comeBack(number), at: now + 200_000) }
        let memory = head.keeping.memory
        let known =
            clients[number].requestName.flatMap { memory.request(named: $0, of: "") }
            ?? clients[number].key.flatMap { memory.request(withKey: $0, of: "") }
        guard let known else {
            // Nobody has seen anything of it, or it was not written down and is asked again.
            if clients[number].isWritten, !clients[number].received.isEmpty {
                faults.append("request \(number) was lost")
            }
            return arrive(number, now)
        }
        resume(number, known.request, now)
    }

    private mutating func resume(_ number: Int, _ request: ClientRequest, _ now: UInt64) {
        clients[number].requestName = request.id
        do throws(AdmissionError) {
            let id = try head.resume(self.request(number), now: headTime(now))
            // A journal that could not be written does not know that its client has it all.
            guard !clients[number].hasEnded else { return }
            clients[number].sequence = id
            clientOf[id] = number
            clients[number].received = []
            let shown = head.keeping.shown(of: id)
            for event in shown?.events ?? [] { take(event, of: id) }
            if let end = shown?.end {
                if case .failed(let refusal) = end { close(id, refusal) } else { close(id, nil) }
            }
        } catch {
            faults.append("request \(number) could not go on: \(error)")
        }
    }

    /// A client goes away without a word, and comes back.
    mutating func leave(_ number: Int, for time: UInt64, _ now: UInt64) {
        guard !isHeadDown, let id = clients[number].sequence, !clients[number].hasEnded else {
            return
        }
        clients[number].sequence = nil
        clientOf[id] = nil
        head.leave(id, now: headTime(now))
        timeline.plan(.comeBack(number), at: now + time)
    }
}
