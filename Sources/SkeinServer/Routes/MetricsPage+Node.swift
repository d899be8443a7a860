internal import SkeinCore
internal import SkeinMembership
internal import SkeinTelemetry

extension MetricsPage {
    /// What a node says of itself; where the head says the same of it, by the same name.
    mutating func add(_ node: NodeFigures) {
        let name = node.name
        func one(_ value: Double?) -> [PrometheusText.Sample] {
            value.map { [.init($0, ["node": name])] } ?? []
        }
        page.add(
            .gauge, "skein_node_up", "1 where a node is in the cluster, else 0.",
            one(node.isJoined ? 1 : 0))
        page.add(
            .gauge, "skein_node_ready", "1 where a node can do its part, else 0.",
            one(node.waitsFor == nil ? 1 : 0))
        page.add(
            .gauge, "skein_node_state", "1 for the state in which a node is, 0 for the others.",
            NodeState.allCases.map {
                .init(
                    $0.rawValue == node.state.rawValue ? 1 : 0,
                    ["node": name, "state": $0.rawValue])
            })
        page.add(
            .gauge, "skein_node_loaded_bytes", "Weights in memory, or read while it loads.",
            one(Double(node.loadedBytes)))
        page.add(
            .gauge, "skein_node_load_bytes", "Weights that its place has; absent without one.",
            node.totalBytes > 0 ? one(Double(node.totalBytes)) : [])
        page.add(
            .gauge, "skein_node_uptime_seconds", "Seconds since a node started.",
            one(node.upSeconds))
        page.add(
            .gauge, "skein_node_busy_share",
            "Share of the time of its stages in which they computed, since its placement.",
            one(node.busyShare))
        page.add(
            .counter, "skein_node_steps_total", "Steps that a node has run since its placement.",
            one(Double(node.stepCount)))
        page.add(
            .counter, "skein_stage_busy_seconds_total",
            "Seconds that a stage spent computing, since its placement.",
            node.stages.map {
                .init($0.busySeconds, ["node": name, "stage": "\($0.index.rawValue)"])
            })
        page.add(
            .counter, "skein_expert_host_busy_seconds_total",
            "Seconds that it spent computing, since its placement.", one(node.expertBusySeconds))
        addTraffic(of: node, one)
    }

    private mutating func addTraffic(
        of node: NodeFigures, _ one: (Double?) -> [PrometheusText.Sample]
    ) {
        let counts: [(String, String, Double?)] = [
            (
                "sent_frames", "Frames that its links have taken.",
                node.traffic.map { Double($0.sentFrameCount) }
            ),
            (
                "sent_bytes", "Bytes of these frames.",
                node.traffic.map { Double($0.sentByteCount) }
            ),
            (
                "received_frames", "Frames that its inbox has taken.",
                node.traffic.map { Double($0.receivedFrameCount) }
            ),
            (
                "received_bytes", "Bytes of these frames.",
                node.traffic.map { Double($0.receivedByteCount) }
            ),
        ]
        for (word, help, value) in counts {
            page.add(.counter, "skein_node_\(word)_total", help, one(value))
        }
    }
}
