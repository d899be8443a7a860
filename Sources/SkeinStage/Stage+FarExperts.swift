internal import SkeinCore
internal import SkeinModel
internal import SkeinTensor
internal import SkeinTransport
internal import SkeinWire

/// How a stage reaches experts elsewhere, and where it notes what that takes.
struct FarExperts: Sendable {
    /// One host: its node, and the road there.
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
    let roads: [Int: Peer]
    let desk: CombineDesk
    let keeper: StageTimekeeper
    let recorder: TimelineRecorder

    var lane: TraceLane { .stage(stage) }
}

/// A step that is run with experts elsewhere, and how long the stage computed for it.
private struct FarStep {
    let number: Int
    let microBatch: MicroBatch
    var computed = Duration.zero
    /// Since when the stage computes for it without a pause.
    var since = ContinuousClock.now
}

// A step with experts elsewhere: attention, dispatch, those at home meanwhile, combine, go on.
//
//     stage    │ attention A │ home A │ attention B │ combine A, attention A │ home B │ …
//     hosts              └────► experts of A ────►──┘
//
// After every part the stage is left to what has become ready meanwhile: what a combine sets
// free is a dispatch, or a step for the next stage, for which others wait.
extension Stage {
    /// Runs a micro-batch, leaving the stage to others whenever it waits.
    func run(_ step: Step, number: Int, with far: FarExperts) async -> StageRun {
        let microBatch = step.microBatch
        // A page copy brings rows of all layers, so what wrote them must have ended.
        let isCopying = microBatch.spans.contains { $0.pageCopy != nil }
        await waitForTurn { isCopying ? $0.isFirst(number) : $0.mayRun(number, block: 0) }
        let began = ContinuousClock.now
        var state = FarStep(number: number, microBatch: microBatch, since: began)
        let outcome: Result<StageOutcome, Refusal>
        do throws(Refusal) {
            outcome = .success(try await compute(step, &state, with: far))
        } catch {
            outcome = .failure(error)
        }
        let ended = ContinuousClock.now
        note(&state, IntervalKind(microBatch.phase), until: ended, far)
        far.keeper.note {
            $0.onEnd(
                microBatch.id, computed: state.computed, end: ended - far.keeper.start,
                rowCount: microBatch.rowCount)
        }
        turns.onEnd(number)
        letOthersGo()
        return StageRun(outcome: outcome, began: began, ended: ended, computed: state.computed)
    }

    private func compute(
        _ step: Step, _ state: inout FarStep, with far: FarExperts
    ) async throws(Refusal) -> StageOutcome {
        let microBatch = step.microBatch
        let number = state.number
        let run = try model.begin(
            microBatch.spans, hidden: try hidden(of: step), capture: microBatch.capture)
        do throws(Refusal) {
            while run.nextBlock < model.blockCount {
                let block = run.nextBlock
                if !turns.mayRun(number, block: block) {
                    note(&state, .attention, until: .now, far)
                    await waitForTurn { $0.mayRun(number, block: block) }
                    state.since = .now
                }
                turns.onBlock(block, of: number)
                let demand = model.advance(run)
                letOthersGo()
                if let demand {
                    try await ask(for: demand, run, &state, far)
                } else {
                    note(&state, .attention, until: .now, far)
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

    /// Asks the hosts, runs what is at home, waits for the answers and ends the layer.
    private func ask(
        for demand: ExpertDemand, _ run: SliceRun, _ state: inout FarStep, _ far: FarExperts
    ) async throws(Refusal) {
        let layer = demand.layer
        note(&state, .attention, of: layer, until: .now, far)
        let parcels = far.peers.parcels(for: demand)
        let key = CombineDesk.Key(microBatch: state.microBatch.id, layer: layer)
        try dispatch(parcels, rows: model.routedRows(of: run), key, far)
        let dispatched = ContinuousClock.now
        note(&state, .sending, of: layer, until: dispatched, far)
        await giveWay(&state)
        model.runHome(run)
        note(&state, .experts, of: layer, until: .now, far)
        awaitingCount += 1
        let arrived: CombineDesk.Arrived
        do throws(Refusal) {
            arrived = try await far.desk.wait(for: key)
        } catch {
            awaitingCount -= 1
            state.since = .now
            throw error
        }
        state.since = .now
        far.recorder.note(
            far.lane, .waitingCombine, of: state.microBatch.id, layer: layer, from: dispatched,
            to: max(dispatched, arrived.at))
        model.combine(
            run,
            parcels.compactMap { parcel in
                guard let name = far.roads[parcel.host]?.nodeName,
                    let bytes = arrived.outputs[name]
                else { return nil }
                return ExpertOutputs(slots: parcel.slots, bytes: bytes)
            })
        note(&state, .experts, of: layer, until: .now, far)
        awaitingCount -= 1
    }

    /// Packs what each host is asked and puts it on its road.
    private func dispatch(
        _ parcels: [ExpertParcel], rows: Tensor, _ key: CombineDesk.Key, _ far: FarExperts
    ) throws(Refusal) {
        var expected: [String: Int] = [:]
        for parcel in parcels {
            guard let peer = far.roads[parcel.host] else {
                preconditionFailure("no road to expert host \(parcel.host)")
            }
            expected[peer.nodeName] = parcel.slots.count
        }
        far.desk.open(key, expecting: expected)
        let chosen = Tensor(rows: 0, columns: rows.columnCount)
        for parcel in parcels {
            guard let peer = far.roads[parcel.host] else { continue }
            chosen.resize(rows: parcel.rows.count)
            for (place, row) in parcel.rows.enumerated() {
                chosen.copyRow(place, from: rows, row: row)
            }
            let travelling = RowFrames(chosen, far.form)
            let envelope = Envelope(
                epoch: far.epoch, sender: far.nodeName,
                body: .dispatch(
                    Dispatch(
                        microBatch: key.microBatch, stage: far.stage, layer: key.layer,
                        choiceCounts: parcel.choiceCounts, experts: parcel.experts,
                        rows: travelling.rows, scales: travelling.scales)))
            let frames: [Frame]
            do throws(WireError) {
                frames = try envelope.packed()
            } catch {
                throw error.refusal
            }
            guard peer.outbox.put(frames) else {
                throw Refusal("expert host \(peer.nodeName)", "its road is blocked")
            }
        }
    }

    /// Notes what the stage did for a step since it was last noted.
    private func note(
        _ state: inout FarStep, _ kind: IntervalKind, of layer: LayerIndex? = nil,
        until moment: ContinuousClock.Instant, _ far: FarExperts
    ) {
        let (since, start) = (state.since, far.keeper.start)
        state.since = moment
        guard moment > since else { return }
        far.recorder.note(
            far.lane, kind, of: state.microBatch.id, layer: layer, from: since, to: moment)
        guard kind.isCompute else {
            far.keeper.note { $0.onSent(start: since - start, end: moment - start) }
            return
        }
        state.computed += moment - since
        let isAwaiting = awaitingCount > 0
        far.keeper.note {
            $0.onCompute(
                start: since - start, end: moment - start, isAwaitingExperts: isAwaiting)
        }
    }

    /// Lets those go first who are ready; what the step did so far was noted before.
    private func giveWay(_ state: inout FarStep) async {
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
