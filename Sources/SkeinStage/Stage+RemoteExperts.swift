internal import SkeinCore
internal import SkeinModel
internal import SkeinTensor
internal import SkeinTransport
internal import SkeinWire

/// How a stage reaches remote experts, and where it notes what that takes.
struct RemoteExperts: Sendable {
    /// One host: its node, and the link there.
    struct Peer: Sendable {
        let nodeName: String
        let outbox: Outbox
    }

    let stage: StageIndex
    let epoch: Epoch
    let nodeName: String
    let form: RowForm
    let peers: ExpertPeers
    /// By the hosts' numbers.
    let links: [Int: Peer]
    let waits: CombineWaits
    let keeper: StageTimekeeper
    let recorder: TimelineRecorder

    var lane: TraceLane { .stage(stage) }
}

/// A step that is run with remote experts, and how long the stage computed for it.
private struct RemoteStep {
    let number: Int
    let microBatch: MicroBatch
    var computed = Duration.zero
    /// Since when the stage computes for it without a pause.
    var since = ContinuousClock.now
}

// A step with remote experts: attention, dispatch, local ones meanwhile, combine, go on.
//
//     stage    │ attention A │ local A │ attention B │ combine A, attention A │ local B │ …
//     hosts              └────► experts of A ────►──┘
//
// After every part the stage is left to what has become ready meanwhile: what a combine sets
// free is a dispatch, or a step for the next stage, for which others wait.
extension Stage {
    /// Runs a micro-batch, leaving the stage to others whenever it waits.
    func run(_ step: Step, number: Int, with remote: RemoteExperts) async -> StageRun {
        let microBatch = step.microBatch
        // A page copy brings rows of all layers, so what wrote them must have ended.
        let isCopying = microBatch.spans.contains { $0.pageCopy != nil }
        await waitForTurn { isCopying ? $0.isFirst(number) : $0.mayRun(number, block: 0) }
        let began = ContinuousClock.now
        var state = RemoteStep(number: number, microBatch: microBatch, since: began)
        let outcome: Result<StageOutcome, Refusal>
        do throws(Refusal) {
            outcome = .success(try await compute(step, &state, with: remote))
        } catch {
            outcome = .failure(error)
        }
        let ended = ContinuousClock.now
        note(&state, IntervalKind(microBatch.phase), until: ended, remote)
        remote.keeper.note {
            $0.onEnd(
                microBatch.id, computed: state.computed, end: ended - remote.keeper.start,
                rowCount: microBatch.rowCount)
        }
        turns.onEnd(number)
        letOthersGo()
        return StageRun(outcome: outcome, began: began, ended: ended, computed: state.computed)
    }

    private func compute(
        _ step: Step, _ state: inout RemoteStep, with remote: RemoteExperts
    ) async throws(Refusal) -> StageOutcome {
        let microBatch = step.microBatch
        let number = state.number
        let run = try model.begin(
            microBatch.spans, hidden: try hidden(of: step), capture: microBatch.capture)
        do throws(Refusal) {
            while run.nextBlock < model.blockCount {
                let block = run.nextBlock
                if !turns.mayRun(number, block: block) {
                    note(&state, .attention, until: .now, remote)
                    await waitForTurn { $0.mayRun(number, block: block) }
                    state.since = .now
                }
                turns.onBlock(block, of: number)
                let demand = model.advance(run)
                letOthersGo()
                if let demand {
                    try await ask(for: demand, run, &state, remote)
                } else {
                    note(&state, .attention, until: .now, remote)
                    await giveWay(&state)
                }
            }
        } catch {
            model.abandon(run)
            throw error
        }
        // The head is as long as a layer; without one the next stage waits for what is ready now.
        if model.slice.holdsHead { await giveWay(&state) }
        return try outcome(of: microBatch, model.finish(run))
    }

    /// Asks the hosts, runs what is local, waits for the answers and ends the layer.
    private func ask(
        for demand: ExpertDemand, _ run: SliceRun, _ state: inout RemoteStep,
        _ remote: RemoteExperts
    ) async throws(Refusal) {
        let layer = demand.layer
        note(&state, .attention, of: layer, until: .now, remote)
        let requests = remote.peers.requests(for: demand)
        let key = CombineWaits.Key(microBatch: state.microBatch.id, layer: layer)
        try dispatch(requests, rows: model.routedRows(of: run), key, remote)
        let dispatched = ContinuousClock.now
        note(&state, .sending, of: layer, until: dispatched, remote)
        await giveWay(&state)
        model.runLocal(run)
        note(&state, .experts, of: layer, until: .now, remote)
        awaitingCount += 1
        let arrived: CombineWaits.Arrived
        do throws(Refusal) {
            arrived = try await remote.waits.wait(for: key)
        } catch {
            awaitingCount -= 1
            state.since = .now
            throw error
        }
        state.since = .now
        remote.recorder.note(
            remote.lane, .waitingCombine, of: state.microBatch.id, layer: layer, from: dispatched,
            to: max(dispatched, arrived.at))
        model.combine(
            run,
            requests.compactMap { request in
                guard let name = remote.links[request.host]?.nodeName,
                    let bytes = arrived.outputs[name]
                else { return nil }
                return ExpertOutputs(slots: request.slots, bytes: bytes)
            })
        note(&state, .experts, of: layer, until: .now, remote)
        awaitingCount -= 1
    }

    /// Packs what each host is asked and puts it on its link.
    private func dispatch(
        _ requests: [ExpertRequest], rows: Tensor, _ key: CombineWaits.Key, _ remote: RemoteExperts
    ) throws(Refusal) {
        var expected: [String: Int] = [:]
        for request in requests {
            guard let peer = remote.links[request.host] else {
                preconditionFailure("no link to expert host \(request.host)")
            }
            expected[peer.nodeName] = request.slots.count
        }
        remote.waits.open(key, expecting: expected)
        let chosen = Tensor(rows: 0, columns: rows.columnCount)
        for request in requests {
            guard let peer = remote.links[request.host] else { continue }
            chosen.resize(rows: request.rows.count)
            for (place, row) in request.rows.enumerated() {
                chosen.copyRow(place, from: rows, row: row)
            }
            let travelling = RowFrames(chosen, remote.form)
            let envelope = Envelope(
                epoch: remote.epoch, sender: remote.nodeName,
                body: .dispatch(
                    Dispatch(
                        microBatch: key.microBatch, stage: remote.stage, layer: key.layer,
                        choiceCounts: request.choiceCounts, experts: request.experts,
                        rows: travelling.rows, scales: travelling.scales)))
            let frames: [Frame]
            do throws(WireError) {
                frames = try envelope.packed()
            } catch {
                throw error.refusal
            }
            guard peer.outbox.put(frames) else {
                throw Refusal("expert host \(peer.nodeName)", "its link is blocked")
            }
        }
    }

    /// Notes what the stage did for a step since it was last noted.
    private func note(
        _ state: inout RemoteStep, _ kind: IntervalKind, of layer: LayerIndex? = nil,
        until moment: ContinuousClock.Instant, _ remote: RemoteExperts
    ) {
        let (since, start) = (state.since, remote.keeper.start)
        state.since = moment
        guard moment > since else { return }
        remote.recorder.note(
            remote.lane, kind, of: state.microBatch.id, layer: layer, from: since, to: moment)
        guard kind.isCompute else {
            remote.keeper.note { $0.onSent(start: since - start, end: moment - start) }
            return
        }
        state.computed += moment - since
        let isAwaiting = awaitingCount > 0
        remote.keeper.note {
            $0.onCompute(
                start: since - start, end: moment - start, isAwaitingExperts: isAwaiting)
        }
    }

    /// Lets those go first who are ready; what the step did so remote was noted before.
    private func giveWay(_ state: inout RemoteStep) async {
        await Task.yield()
        state.since = .now
    }

    private func waitForTurn(_ isMine: (StepTurns) -> Bool) async {
        while !isMine(turns) {
            await withCheckedContinuation { waitingForTurns.append($0) }
        }
    }

    /// Lets those look again who wait for their turn.
    private func letOthersGo() {
        let waiting = waitingForTurns
        waitingForTurns = []
        for continuation in waiting { continuation.resume() }
    }
}
