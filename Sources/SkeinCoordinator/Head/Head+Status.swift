internal import SkeinCore
internal import SkeinMembership
internal import SkeinScheduling
internal import SkeinWire

/// Somebody who waits for the vital signs of some nodes.
struct StatusWait: Sendable {
    let id: WaitID
    var awaited: Set<String>
    let since: Duration
}

// The state of the cluster, for people and programs.
extension Head {
    /// What is known now.
    func status(now: Duration) -> ClusterStatus {
        ClusterStatus(
            name: settings.clusterName, kind: membership.placement.kind, epoch: membership.epoch,
            isReady: membership.isReady, softwareVersion: settings.softwareVersion,
            fingerprint: settings.fingerprint, address: address,
            upSeconds: now / .seconds(1), nodes: knownNodes.map { status(of: $0, now: now) },
            positionCountMax: schedule.plan.positionCountMax,
            latentForm: settings.serving.latentForm,
            reusesPrefixes: schedule.plan.reusesPrefixes, counts: schedule.counts,
            pipeline: PipelineTimes(
                decodeMicroBatchCount: schedule.plan.decodeMicroBatchCount,
                stageSeconds: schedule.decodeStageTimes.map { $0 / .seconds(1) },
                waySeconds: schedule.decodeWayTime / .seconds(1),
                computeOwners: schedule.plan.computeOwners, expertOwners: expertOwners,
                stepsAtOnce: settings.serving.stepsAtOnce))
    }

    /// Those of the placement, then the others.
    var knownNodes: [String] { membership.placement.nodes + membership.unplaced }

    /// The compute threads of every expert host, numbered as those of stages are.
    private var expertOwners: [Int] {
        let placement = membership.placement
        return placement.expertHosts.map { host in
            settings.sharesCompute ? 0 : placement.nodes.firstIndex(of: host.node) ?? 0
        }
    }

    private func status(of name: String, now: Duration) -> ClusterStatus.Node {
        let record = nodes[name] ?? NodeRecord()
        let known = membership.nodes[name]
        let times = record.alive?.stageTimes ?? []
        let stages = membership.placement.stages(of: name).map { stage in
            ClusterStatus.Stage(
                stage, times.first { $0.stage == stage.stage } ?? StageTimes(stage: stage.stage))
        }
        var node = ClusterStatus.Node(
            name: name, state: (known?.state ?? .waiting).rawValue,
            address: record.address, stages: stages)
        node.isStandby = known?.isPlaced == false
        node.shard = membership.placement.shard(of: name)
        node.softwareVersion = record.hello?.softwareVersion
        node.fingerprint = record.hello?.fingerprint
        node.instructionSet = record.hello?.cpuISA
        node.threadCount = record.hello?.threadCount ?? 0
        node.weightBytes = record.weightBytes ?? 0
        node.note(record.alive)
        node.roundTripSeconds = record.roundTrip.map { $0.smoothed / .seconds(1) }
        node.lastRoundTripSeconds = record.roundTrip.map { $0.last / .seconds(1) }
        node.silentSeconds = membership.silence(of: name, now: now).map { $0 / .seconds(1) }
        if let error = record.lastError(now: now) {
            node.lastError = error.line
            node.lastErrorAgeSeconds = error.age / .seconds(1)
        } else if let trouble = known?.lastError ?? record.refusal {
            node.lastError = trouble.description
            node.lastErrorAgeSeconds = record.troubleAt.map { (now - $0) / .seconds(1) }
        }
        return node
    }

    /// Asks every node for its vital signs.
    ///
    /// - Returns: what to wait for, one second at most; `nil` where there is nobody to ask.
    mutating func askStatus(now: Duration) -> WaitID? {
        self.now = now
        let asked = membership.placement.nodes.filter { membership.isHere($0) }
        guard readiness == .ready, !asked.isEmpty else { return nil }
        let wait = newWait()
        statusWaits.append(StatusWait(id: wait, awaited: Set(asked), since: now))
        beat()
        return wait
    }

    /// A node has answered: those that wait for it may go on.
    mutating func settleStatusWaits(answered name: String? = nil) {
        for index in statusWaits.indices.reversed() {
            if let name { statusWaits[index].awaited.remove(name) }
            let isLate = now - statusWaits[index].since > .seconds(1)
            if statusWaits[index].awaited.isEmpty || isLate {
                add(.resume(statusWaits.remove(at: index).id))
            }
        }
    }
}

extension ClusterStatus.Stage {
    fileprivate init(_ placed: StagePlacement, _ times: StageTimes) {
        self.init(
            index: placed.stage, slice: placed.slice,
            busySeconds: Double(times.busyMicroseconds) / 1e6,
            waitingInSeconds: Double(times.waitingInMicroseconds) / 1e6,
            sendingSeconds: Double(times.sendingMicroseconds) / 1e6,
            waitingCombineSeconds: Double(times.waitingCombineMicroseconds) / 1e6)
    }
}

extension ClusterStatus.Node {
    /// Takes over what the node says of itself.
    fileprivate mutating func note(_ alive: Alive?) {
        guard let alive else { return }
        residentBytes = alive.residentBytes
        memoryAvailableBytes = alive.memoryAvailableBytes
        usedPageCount = alive.usedPageCount
        stepCount = alive.doneStepCount
        stepP50Seconds = Double(alive.stepP50Microseconds) / 1e6
        stepP99Seconds = Double(alive.stepP99Microseconds) / 1e6
        rowsPerSecond = alive.tokensPerSecond
        upSeconds = Double(alive.sentAtMicroseconds) / 1e6
        expertWork = shard.isEmpty ? nil : alive.expertTimes.map(ClusterStatus.ExpertWork.init)
    }
}

extension ClusterStatus.ExpertWork {
    fileprivate init(_ times: ExpertTimes) {
        self.init(
            host: times.host, busySeconds: Double(times.busyMicroseconds) / 1e6,
            sendingSeconds: Double(times.sendingMicroseconds) / 1e6,
            stepCount: times.doneStepCount, rowCount: times.doneRowCount,
            choiceCount: times.doneChoiceCount, rowCounts: times.rowCounts)
    }
}
