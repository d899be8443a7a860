internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinText

extension ClusterStatus {
    /// The state of the cluster, for programs.
    var json: JSONValue {
        .fields([
            "name": .string(name), "placement": .string(kind.rawValue),
            "epoch": .count(epoch.rawValue), "ready": .bool(isReady),
            "head": .fields([
                "address": .string(address), "version": .string(softwareVersion),
                "fingerprint": .string(fingerprint), "up_seconds": .seconds(upSeconds),
            ]),
            "nodes": .array(nodes.map(\.json)),
            "pages": .fields([
                "total": .count(counts.pageCount), "owned": .count(counts.ownedPageCount),
                "kept": .count(counts.idlePageCount),
            ]),
            "positions_max": .count(positionCountMax), "latents": .string(latentForm.rawValue),
            "prefix_reuse": .bool(reusesPrefixes),
            "sequences": .count(counts.liveCount),
            "prefix_cache": .fields([
                "cached_tokens": .count(counts.totals.cachedTokenCount),
                "prompt_tokens": .count(counts.totals.promptTokenCount),
                "prefill_rows": .count(counts.totals.prefillRowCount),
                "idle_pages": .count(counts.idlePageCount),
                "evicted_pages": .count(counts.totals.evictionCount),
            ]),
            "queue": .fields([
                "waiting": .count(counts.waitingCount), "waiting_max": .count(counts.waitingMax),
                "running": .count(counts.runningCount),
            ]),
            "micro_batches": .fields([
                "in_flight": .count(counts.inFlightCount),
                "in_flight_max": .count(counts.inFlightMax),
            ]),
            "tally": .fields([
                "steps": .count(counts.totals.returnCount),
                "preemptions": .count(counts.totals.preemptionCount),
                "prefill_rows": .count(counts.totals.prefillRowCount),
                "decode_rows": .count(counts.totals.decodeRowCount),
                "requests_taken": .count(counts.totals.arrivalCount),
                "requests_ended": .count(counts.totals.finishCount),
            ]),
        ])
    }
}

extension ClusterStatus.Node {
    /// Whether it has joined and is not lost.
    var isHere: Bool { !["waiting", "dead", "left"].contains(state) }

    /// What it is there for.
    var role: String {
        if isStandby { return "standby" }
        return stages.isEmpty && !shard.isEmpty ? "experts" : "node"
    }

    /// Whether it has told of itself since it came.
    private var hasSpoken: Bool { upSeconds != nil }

    var json: JSONValue {
        .fields([
            "name": .string(name),
            "role": .string(role),
            "state": .string(state),
            "address": address.map { .string($0) } ?? .null,
            "version": softwareVersion.map { .string($0) } ?? .null,
            "fingerprint": fingerprint.map { .string($0) } ?? .null,
            "instruction_set": instructionSet.map { .string($0) } ?? .null,
            "threads": .measured(threadCount), "weight_bytes": .measured(weightBytes),
            "resident_bytes": .measured(residentBytes),
            "memory_available_bytes": .measured(memoryAvailableBytes),
            "pages_used": hasSpoken ? .count(usedPageCount) : .null,
            "steps": hasSpoken ? .count(stepCount) : .null,
            "step_seconds": .fields([
                "p50": .seconds(stepP50Seconds > 0 ? stepP50Seconds : nil),
                "p99": .seconds(stepP99Seconds > 0 ? stepP99Seconds : nil),
            ]),
            "rows_per_second": .seconds(hasSpoken ? rowsPerSecond : nil),
            "round_trip_seconds": .fields([
                "smoothed": .seconds(roundTripSeconds), "last": .seconds(lastRoundTripSeconds),
            ]),
            "silent_seconds": .seconds(silentSeconds), "up_seconds": .seconds(upSeconds),
            "last_error": lastError.isEmpty ? .null : .string(lastError),
            "last_error_age_seconds": .seconds(lastErrorAgeSeconds),
            "stages": .array(stages.map(\.json)),
            "experts": .array(shard.map(\.json)), "expert_work": expertWork?.json ?? .null,
        ])
    }
}

extension ShardPart {
    fileprivate var json: JSONValue {
        .fields([
            "first_layer": .count(layers.lowerBound), "last_layer": .count(layers.upperBound - 1),
            "first_expert": .count(experts.lowerBound),
            "last_expert": .count(experts.upperBound - 1),
        ])
    }
}

extension ClusterStatus.ExpertWork {
    fileprivate var json: JSONValue {
        .fields([
            "host": .count(host), "busy_seconds": .seconds(busySeconds),
            "sending_seconds": .seconds(sendingSeconds), "steps": .count(stepCount),
            "rows": .count(rowCount), "choices": .count(choiceCount),
            "expert_rows": .object(
                rowCounts.sorted { $0.key < $1.key }.map {
                    JSONValue.Member("\($0.key)", .count($0.value))
                }),
        ])
    }
}

extension ClusterStatus.Stage {
    var json: JSONValue {
        .fields([
            "index": .count(index.rawValue),
            "layers": .fields([
                "first": .count(slice.layers.lowerBound),
                "last": .count(slice.layers.upperBound - 1),
            ]),
            "holds_embedding": .bool(slice.holdsEmbedding), "holds_head": .bool(slice.holdsHead),
            "busy_seconds": .seconds(busySeconds),
            "waiting_in_seconds": .seconds(waitingInSeconds),
            "waiting_combine_seconds": .seconds(waitingCombineSeconds),
            "sending_seconds": .seconds(sendingSeconds), "busy_share": .seconds(busyShare),
        ])
    }
}

extension JSONValue {
    /// A number that is never 0 where it is known, else `null`.
    fileprivate static func measured(_ number: some BinaryInteger) -> JSONValue {
        number > 0 ? .count(number) : .null
    }

    /// A number of seconds, or `null` where it is not known.
    fileprivate static func seconds(_ seconds: Double?) -> JSONValue {
        guard let seconds, seconds.isFinite else { return .null }
        return .seconds(seconds)
    }
}
