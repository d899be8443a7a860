internal import Logging
internal import SkeinCore
internal import SkeinMembership
internal import SkeinScheduling
internal import SkeinWire

// The ring: directives out, returns and captured values in.
extension Coordinator {
    /// Spends free credits: fills the ring and sends what the schedule closed.
    ///
    /// Carrying out suspends, and meanwhile other events may close further micro-batches; one pump
    /// at a time keeps their order.
    func pump() async {
        guard case .ready = readiness else { return }
        await carryOut(schedule.fillRing())
        guard !isPumping else { return }
        isPumping = true
        while !outgoing.isEmpty {
            let microBatch = outgoing.removeFirst()
            send(microBatch)
        }
        isPumping = false
    }

    /// Carries out directives in order.
    func carryOut(_ directives: [Directive]) async {
        for directive in directives { await carryOut(directive) }
    }

    /// Carries out one directive; nothing here suspends but telling nodes.
    func carryOut(_ directive: Directive) async {
        switch directive {
        case .send(let microBatch):
            if microBatch.capture != [] { captureFlights[microBatch.id] = microBatch.spans }
            outgoing.append(microBatch)
        case .began(let id, let count):
            live[id]?.continuation.yield(.began(cachedTokenCount: count))
        case .deliver(let id, let tokens):
            for token in tokens {
                live[id]?.continuation.yield(.token(token))
                await follow(token.token, of: id)
            }
        case .score(let id, let firstPosition, let scores):
            guard let request = live[id]?.request else { return }
            // The score of row p is of the token at p + 1; the last row's stands in for nothing.
            let count = min(scores.count, request.promptTokens.count - 1 - firstPosition)
            live[id]?.continuation.yield(.scored(Array(scores.prefix(max(0, count)))))
        case .finished(let id, let reason):
            endProbe(id, reason)
            live[id]?.endedFor = reason
            finishIfComplete(id)
        case .refuse(let id, let refusal), .busy(let id, let refusal):
            if probes.flight?.sequence == id { settleProbe(.failed(refusal)) }
            live.removeValue(forKey: id)?.continuation.finish(throwing: refusal)
        case .release(let ids):
            for name in outboxes.keys.sorted() { tell(name, .release(ids)) }
        }
    }

    /// Ends a request's stream once its tokens and its captured values are all there.
    func finishIfComplete(_ id: SequenceID) {
        guard let request = live[id],
            let reason = request.finalReason(settings.configuration)
        else { return }
        live[id] = nil
        captureFlights = captureFlights.filter { !$0.value.contains { $0.sequence == id } }
        request.continuation.yield(.finished(reason))
        request.continuation.finish()
    }

    private func send(_ microBatch: MicroBatch) {
        guard microBatch.epoch == schedule.epoch else { return }
        var microBatch = microBatch
        addAllowedTokens(to: &microBatch)
        ringProgress.onSend(microBatch.id, now: now)
        sentAt[microBatch.id] = now
        trace(.sending, of: microBatch.id)
        traceContent(of: microBatch.id)
        // A credit whose message is lost comes back when the membership view decides that the node
        // is dead and a new epoch gives all credits back.
        tell(
            membership.placement.first.node, .step(Step(microBatch: microBatch)),
            epoch: microBatch.epoch, target: StageIndex(0))
    }

    /// A micro-batch has gone round.
    func receive(_ tokenReturn: TokenReturn) async {
        do throws(Refusal) {
            let roundTime = sentAt.removeValue(forKey: tokenReturn.microBatch).map { now - $0 }
            let directives = try schedule.onReturn(tokenReturn, roundTime: roundTime)
            ringProgress.onReturn(tokenReturn.microBatch, now: now)
            trace(.receiving, of: tokenReturn.microBatch)
            await carryOut(directives)
            askConstraintDesk()
        } catch {
            logger.warning("\(error)")
        }
        await pump()
    }

    /// A stage's inner values of one micro-batch: cut into sequences and passed on.
    func receive(_ captured: Captured) {
        guard let spans = captureFlights[captured.microBatch] else { return }
        for value in captured.values {
            let tensor = value.tensor
            let rowBytes = tensor.columnCount * tensor.element.byteCount
            guard tensor.rowCount == spans.reduce(0, { $0 + $1.tokens.count }) else {
                logger.warning("captured values of stage \(captured.stage.rawValue) lack rows")
                continue
            }
            var row = 0
            for span in spans {
                let bytes = tensor.frame.bytes[
                    (row * rowBytes)..<((row + span.tokens.count) * rowBytes)]
                row += span.tokens.count
                live[span.sequence]?.capturedRows[value.kind, default: 0] += span.tokens.count
                live[span.sequence]?.continuation.yield(
                    .captured(
                        CapturedTensor(
                            kind: value.kind, rowCount: span.tokens.count,
                            columnCount: tensor.columnCount, bytes: Array(bytes))))
            }
        }
        for span in spans { finishIfComplete(span.sequence) }
    }

    /// A stage could not finish a micro-batch: its sequences end with the reason.
    func receive(_ fault: Fault, from node: String) async {
        let refusal = Refusal("stage \(fault.stage.rawValue) on \(node)", fault.reason)
        guard let id = fault.microBatch else {
            // The node could not take up its slices.
            if settings.endsWithItsNodes { return end(Refusal("node \(node)", fault.reason)) }
            return logger.error("\(refusal)")
        }
        let microBatch = schedule.microBatch(inFlight: id)
        let labels = (microBatch?.spans ?? []).prefix(Limits.loggedRequestsMax).compactMap {
            live[$0.sequence]?.request.printableLabel
        }
        logger.error("\(refusal)", metadata: ["request": "\(labels.joined(separator: ","))"])
        guard let microBatch else { return }
        for span in microBatch.spans {
            if probes.flight?.sequence == span.sequence { probes.fault = refusal }
            live.removeValue(forKey: span.sequence)?.continuation.finish(throwing: refusal)
        }
        await carryOut(schedule.onFault(id))
        // The micro-batch itself will never return. A return that stands in gives back its credit
        // and, in order, the pages of its sequences; ended as they are, nobody reads its tokens.
        await receive(Self.standIn(for: microBatch))
    }
}

extension Coordinator {
    private static func standIn(for microBatch: MicroBatch) -> TokenReturn {
        let tokens = microBatch.spans.filter { $0.demand != nil }.map {
            SampledToken(
                sequence: $0.sequence, position: $0.firstPosition + $0.tokens.count, token: 0)
        }
        let scoreCount = microBatch.spans.reduce(0) { $0 + $1.targets.count }
        return TokenReturn(
            microBatch: microBatch.id, epoch: microBatch.epoch, tokens: tokens,
            targetScores: Array(repeating: TargetScore(logprob: 0), count: scoreCount))
    }
}
