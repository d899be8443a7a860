internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinText

extension ClusterStatus {
    /// The state of the cluster, for programs.
    var json: JSONValue {
        .fields([
            "name": .string(name), "placement": .string(kind.rawValue),
            "epoch": .count(epoch.rawValue), "ready": .bool(isReady),
            "nodes": .array(nodes.map(\.json)),
            "pages": .fields([
                "total": .count(pageCount), "owned": .count(ownedPageCount),
            ]),
            "sequences": .count(liveSequenceCount),
            "prefix_cache": prefixCache.json,
        ])
    }
}

extension ClusterStatus.PrefixCache {
    var json: JSONValue {
        .fields([
            "cached_tokens": .count(cachedTokenCount), "prompt_tokens": .count(promptTokenCount),
            "prefill_rows": .count(prefillRowCount),
            "idle_pages": .count(idlePageCount), "evicted_pages": .count(evictionCount),
        ])
    }
}

extension ClusterStatus.Node {
    var json: JSONValue {
        .fields([
            "name": .string(name), "state": .string(state),
            "address": address.map { .string($0) } ?? .null,
            "resident_bytes": .count(residentBytes),
            "last_error": lastError.isEmpty ? .null : .string(lastError),
            "stages": .array(stages.map(\.json)),
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
            "sending_seconds": .seconds(sendingSeconds), "busy_share": .seconds(busyShare),
        ])
    }
}
