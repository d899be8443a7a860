internal import Foundation
internal import Logging
internal import SkeinCore
internal import SkeinTensor
internal import SkeinTransport
internal import SkeinWeights
internal import SkeinWire

extension NodeService {
    /// Says hello while nobody has placed us, and after the coordinator has been silent.
    ///
    /// A coordinator that was restarted knows nothing of us; a node that has not heard from it for
    /// five beats therefore says hello again, with its slices still in memory.
    func greet(fingerprint: String) async {
        while !Task.isCancelled {
            if case .left = life { return }
            let silence = ContinuousClock.now - coordinatorHeardAt
            let isJoining = if case .joining = life { true } else { false }
            if isJoining || silence > settings.heartbeatInterval * 5 {
                if hasJoined, silence > settings.heartbeatInterval * 5 {
                    hasJoined = false
                    settings.onProgress(.waiting(coordinator: settings.coordinatorAddress))
                }
                await sayHello(fingerprint: fingerprint)
            }
            do { try await Task.sleep(for: settings.heartbeatInterval) } catch { return }
        }
    }

    /// A link was connected: where it is the one to the coordinator, and not for the first time,
    /// the coordinator there may know nothing of us and is told at once.
    public func noteConnected(to address: String) async {
        guard address == settings.coordinatorAddress else { return }
        defer { wasConnected = true }
        guard wasConnected, let fingerprint else { return }
        if case .left = life { return }
        await sayHello(fingerprint: fingerprint)
    }

    /// Says hello; where we hold something, another node may have our place by now.
    private func sayHello(fingerprint: String) async {
        if case .joining = life {} else { mayBeReplaced = true }
        await tell(.hello(hello(fingerprint: fingerprint)), epoch: heldEpoch)
    }

    /// The placement under which we hold slices, or load them.
    private var heldEpoch: Epoch {
        switch life {
        case .loading(let epoch): epoch
        case .running(let stages): stages.epoch
        case .joining, .left: .none
        }
    }

    /// Gives up what we hold where the cluster went on without us.
    ///
    /// It has raised its epoch and, as we said hello, has not placed us again: we stand by, with
    /// our memory free. Were we to be placed after all, we would have to load again in any case.
    func letGo(unless epoch: Epoch) async {
        guard mayBeReplaced, case .running(let stages) = life, stages.epoch < epoch else { return }
        mayBeReplaced = false
        life = .joining
        weights = nil
        settings.onProgress(.replaced)
        await stages.close()
    }

    /// Answers the coordinator's sign of life with our vital signs and its own clock.
    ///
    /// - Parameter heard: when it arrived; with the moment of the answer it tells the coordinator
    ///   how our clock stands to its own.
    func answer(_ heartbeat: Alive, heard: ContinuousClock.Instant) async {
        noteCoordinator()
        var alive = vitalSigns()
        alive.echoedAtMicroseconds = heartbeat.sentAtMicroseconds
        alive.heardAtMicroseconds = (heard - start).wholeMicroseconds
        switch life {
        case .running(let stages):
            await stages.report(into: &alive)
            alive.sentAtMicroseconds = (ContinuousClock.now - start).wholeMicroseconds
            await tell(.alive(alive), epoch: stages.epoch)
        case .loading(let epoch): await tell(.alive(alive), epoch: epoch)
        case .joining, .left: break
        }
    }

    private func hello(fingerprint: String) -> Hello {
        Hello(
            nodeName: settings.name, softwareVersion: settings.softwareVersion,
            fingerprint: fingerprint, inboxAddress: inbox.address,
            processID: UInt64(ProcessInfo.processInfo.processIdentifier),
            memoryAvailableBytes: UInt64(MachineMemory.now().availableBytes ?? 0),
            cpuISA: String(describing: pool.instructionSet), threadCount: pool.threadCount)
    }

    private func vitalSigns() -> Alive {
        heartbeatCount += 1
        let now = ContinuousClock.now - start
        var alive = Alive(
            sequenceNumber: heartbeatCount, sentAtMicroseconds: now.wholeMicroseconds)
        let memory = MachineMemory.now()
        alive.residentBytes = UInt64(memory.residentBytes)
        alive.memoryAvailableBytes = UInt64(memory.availableBytes ?? 0)
        alive.lastError = lastError
        if !lastError.isEmpty {
            let age = ContinuousClock.now - lastErrorAt
            alive.lastErrorAgeMicroseconds = age.wholeMicroseconds
        }
        return alive
    }

    /// Starts loading the slices of a placement.
    ///
    /// Where it is there already the coordinator has not heard so, and is told once more.
    func begin(_ placement: SkeinWire.Placement, fingerprint: String) async {
        switch life {
        case .loading(let epoch) where epoch >= placement.epoch: return
        case .running(let stages) where stages.epoch == placement.epoch:
            return await tellReady(stages)
        case .running(let stages) where stages.epoch > placement.epoch: return
        case .left: return
        default: break
        }
        var former: PlacedStages?
        if case .running(let stages) = life { former = stages }
        life = .loading(placement.epoch)
        loadProgress = (0, 0)
        newestSteps = [:]
        loadTask?.cancel()
        loadTask = Task {
            await former?.close()
            await self.load(placement, fingerprint: fingerprint)
        }
    }

    private func tellReady(_ stages: PlacedStages) async {
        await tell(
            .ready(
                Ready(
                    loadedWeightBytes: UInt64(stages.weights.byteCount),
                    residentBytes: UInt64(MachineMemory.now().residentBytes))),
            epoch: stages.epoch)
    }

    private func tellLoading(_ doneBytes: Int, _ totalBytes: Int, epoch: Epoch) async {
        if doneBytes >= loadProgress.doneBytes { loadProgress = (doneBytes, totalBytes) }
        let loading = Loading(doneBytes: UInt64(doneBytes), totalBytes: UInt64(totalBytes))
        await tell(.loading(loading), epoch: epoch)
    }

    /// Loads the slices, opens the links and reports ready; whatever goes wrong is reported as a
    /// fault and leaves the node waiting for another placement.
    private func load(_ placement: SkeinWire.Placement, fingerprint: String) async {
        do {
            guard placement.fingerprint == fingerprint else {
                throw Refusal(
                    "\(settings.name): \(settings.modelFolder)",
                    "the checkpoint's fingerprint is \(fingerprint.prefix(12)), the cluster's is "
                        + "\(placement.fingerprint.prefix(12))")
            }
            guard let checkpoint, let coordinator else { return }
            let part = try NodePart(
                placement, of: settings.name,
                expertCounts: checkpoint.configuration.layerExpertCounts)
            // Other weights are given up before theirs come: there is room for one of them.
            if weights?.fit(part) == false { weights = nil }
            let onProgress = settings.onProgress
            let loader = StageLoader(
                checkpoint: checkpoint, former: weights,
                weightForm: settings.serving.weightForm,
                packedCachePath: settings.serving.packedCachePath, pool: pool, thread: computeThread
            ) { [weak self] done, total in
                // Said at once, so that it is in order and before the end of the load.
                onProgress(.loading(doneBytes: done, totalBytes: total))
                Task { await self?.tellLoading(done, total, epoch: placement.epoch) }
            }
            let stages = try await PlacedStages(
                part, node: self, coordinator: coordinator, loader: loader)
            guard case .loading(placement.epoch) = life else { return await stages.close() }
            weights = stages.weights
            life = .running(stages)
            await stages.start()
            await tellReady(stages)
            settings.onProgress(
                .ready(
                    stages: part.stages.map(\.index), weightBytes: stages.weights.byteCount,
                    residentBytes: MachineMemory.now().residentBytes))
        } catch {
            note("\(error)")
            life = .joining
            weights = nil
            await tell(
                .fault(Fault(stage: StageIndex(0), microBatch: nil, reason: "\(error)")),
                epoch: placement.epoch)
        }
    }
}
