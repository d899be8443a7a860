internal import Logging
internal import SkeinCore
internal import SkeinJournal
internal import SkeinMembership
internal import SkeinScheduling
internal import SkeinWire

// The ring: the schedule's directives out, returns, captured values and faults in.
extension Head {
    /// Spends free credits.
    mutating func fillRing() {
        guard !settleLeaves(), readiness == .ready else { return }
        carryOut(schedule.fillRing())
    }

    mutating func carryOut(_ directives: [Directive]) {
        for directive in directives { carryOut(directive) }
    }

    mutating func carryOut(_ directive: Directive) {
        switch directive {
        case .send(let microBatch): send(microBatch)
        case .began(let id, let count): begin(id, cachedTokenCount: count)
        case .deliver(let id, let tokens):
            for token in tokens {
                record(.drawn(token), of: id)
                yield(id, .token(token))
                follow(token.token, of: id)
            }
        case .score(let id, let firstPosition, let scores):
            guard let request = live[id]?.request else { return }
            // The score of row p is of the token at p + 1; the last row's stands in for nothing.
            let count = min(scores.count, request.promptTokens.count - 1 - firstPosition)
            let known = Array(scores.prefix(max(0, count)))
            record(.scored(id, firstPosition: firstPosition, known), of: id)
            yield(id, .scored(known))
        case .drafted(let id, let counts): live[id]?.note(counts)
        case .finished(let id, let reason):
            endProbe(id, reason)
            live[id]?.endedFor = reason
            finishIfComplete(id)
        case .refuse(let id, let refusal), .busy(let id, let refusal):
            if probe.flight?.sequence == id { settleProbe(.failed(refusal)) }
            close(id, refusal)
        case .release(let ids):
            for name in linkedNodes { tell(name, .release(ids)) }
        }
    }

    private mutating func yield(_ id: SequenceID, _ event: GenerationEvent) {
        if live[id] != nil { show(.yield(id, event)) }
    }

    /// Tells that a sequence has begun, once for all the heads and lives that it has.
    private mutating func begin(_ id: SequenceID, cachedTokenCount count: Int) {
        guard live[id]?.hasBegun == false else { return }
        live[id]?.hasBegun = true
        record(.began(id, cachedTokenCount: count), of: id)
        yield(id, .began(cachedTokenCount: count))
    }

    /// Ends a request's stream once its tokens and its captured values are all there.
    mutating func finishIfComplete(_ id: SequenceID) {
        guard let request = live[id],
            let reason = request.finalReason(settings.configuration)
        else { return }
        captureFlights = captureFlights.filter { !$0.value.contains { $0.sequence == id } }
        record(.ended(id, .finished(reason)), of: id)
        if let drafts = request.drafts { yield(id, .drafted(drafts)) }
        yield(id, .finished(reason))
        live[id] = nil
        show(.close(id, nil))
    }

    private mutating func send(_ microBatch: MicroBatch) {
        if microBatch.capture != [] { captureFlights[microBatch.id] = microBatch.spans }
        var microBatch = microBatch
        addAllowedTokens(to: &microBatch)
        ringProgress.onSend(microBatch.id, now: now)
        trace(.sending, of: microBatch.id)
        traceContent(of: microBatch.id)
        // A credit whose message is lost comes back when the membership view decides that the node
        // is dead and a new epoch gives all credits back.
        tell(
            membership.placement.first.node, .step(Step(microBatch: microBatch)),
            epoch: microBatch.epoch, target: StageIndex(0))
    }

    /// Begins the ring again under another epoch where a micro-batch was lost on its way; live
    /// sequences are replayed.
    mutating func recoverLostMicroBatch() {
        let placement = membership.placement
        guard readiness == .ready, placement.nodes.allSatisfy({ membership.isHere($0) }),
            let id = ringProgress.lost(
                after: settings.lossPatience,
                orStalledFor: settings.healthPatience.stallAfter + settings.lossPatience,
                stageCount: placement.stages.count, now: now)
        else { return }
        recoverRing(lost: id)
    }

    private mutating func recoverRing(lost id: MicroBatchID) {
        log(
            .warning,
            "micro-batch \(id.rawValue) was lost on its way; what is live is replayed")
        ringProgress.onLoss()
        readiness = .forming
        releaseProbeWaits()
        carryOut(membership.onPlacement(membership.placement))
    }

    /// A micro-batch has gone round.
    mutating func receive(_ tokenReturn: TokenReturn) {
        if let id = schedule.lostBefore(tokenReturn) {
            if readiness == .ready { recoverRing(lost: id) }
            return
        }
        do throws(Refusal) {
            let directives = try schedule.onReturn(
                tokenReturn,
                roundTime: ringProgress.timeInRing(of: tokenReturn.microBatch, now: now))
            if tokenReturn.epoch == schedule.epoch { onLanded(tokenReturn.microBatch) }
            carryOut(directives)
            askConstraintQuestions()
        } catch {
            log(.warning, "\(error)")
        }
        fillRing()
    }

    /// A micro-batch is no longer in the ring.
    private mutating func onLanded(_ id: MicroBatchID) {
        ringProgress.onReturn(id, now: now)
        trace(.receiving, of: id)
    }

    /// A stage's inner values of one micro-batch: cut into sequences and passed on.
    mutating func receive(_ captured: Captured) {
        guard let spans = captureFlights[captured.microBatch] else { return }
        for value in captured.values {
            let tensor = value.tensor
            let rowBytes = tensor.columnCount * tensor.element.byteCount
            guard tensor.rowCount == spans.reduce(0, { $0 + $1.tokens.count }) else {
                log(.warning, "captured values of stage \(captured.stage.rawValue) lack rows")
                continue
            }
            var row = 0
            for span in spans {
                let bytes = tensor.frame.bytes[
                    (row * rowBytes)..<((row + span.tokens.count) * rowBytes)]
                row += span.tokens.count
                live[span.sequence]?.capturedRows[value.kind, default: 0] += span.tokens.count
                yield(
                    span.sequence,
                    .captured(
                        CapturedTensor(
                            kind: value.kind, rowCount: span.tokens.count,
                            columnCount: tensor.columnCount, bytes: Array(bytes))))
            }
        }
        for span in spans { finishIfComplete(span.sequence) }
    }

    /// A stage could not finish a micro-batch: its sequences end with the reason.
    mutating func receive(_ fault: Fault, from node: String) {
        let refusal = Refusal("stage \(fault.stage.rawValue) on \(node)", fault.reason)
        guard let id = fault.microBatch else {
            // The node could not take up its slices.
            if settings.endsWithItsNodes { return end(Refusal("node \(node)", fault.reason)) }
            log(.error, "\(refusal)")
            return noteLoadFault(node)
        }
        let spans = schedule.microBatch(inFlight: id)?.spans ?? []
        log(.error, "\(refusal)", ["request": "\(labels(of: spans).joined(separator: ","))"])
        guard !spans.isEmpty else { return }
        for span in spans {
            if probe.flight?.sequence == span.sequence { probe.fault = refusal }
            close(span.sequence, refusal)
        }
        carryOut(schedule.onFault(id))
        onLanded(id)
        fillRing()
    }

    /// The names of requests for the log and for traces; of many, the first.
    func labels(of spans: [SequenceSpan]) -> [String] {
        spans.prefix(Limits.loggedRequestsMax).compactMap {
            live[$0.sequence]?.request.printableLabel
        }
    }
}
