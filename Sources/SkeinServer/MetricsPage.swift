internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinTelemetry

/// What `/metrics` says: the front's tally and the cluster's state, for Prometheus.
struct MetricsPage {
    private var page = PrometheusText()
    private let model: String

    init(model: String) { self.model = model }

    /// The page.
    var text: String { page.text }

    /// The front's own measurements.
    mutating func add(_ tally: FrontTally) {
        let requests = tally.requestCounts.sorted { left, right in
            (left.key.path, left.key.status) < (right.key.path, right.key.status)
        }
        page.add(
            .counter, "skein_http_requests_total", "HTTP requests by path and status.",
            requests.map {
                .init(Double($0.value), ["path": $0.key.path, "status": "\($0.key.status)"])
            })
        page.add(
            .counter, "skein_prompt_tokens_total", "Prompt tokens of ended completions.",
            [.init(Double(tally.promptTokenCount), ["model": model])])
        page.add(
            .counter, "skein_completion_tokens_total", "Tokens drawn for ended completions.",
            [.init(Double(tally.completionTokenCount), ["model": model])])
        page.add(
            .counter, "skein_answers_total", "Ended answers by the reason of their end.",
            tally.finishCounts.sorted { $0.key < $1.key }.map {
                .init(Double($0.value), ["finish_reason": $0.key, "model": model])
            })
        addTimes(tally)
    }

    private mutating func addTimes(_ tally: FrontTally) {
        let families: [(name: String, help: String, histogram: Histogram)] = [
            (
                "gen_ai_server_time_to_first_token_seconds",
                "TTFT: request received to first token, of each answer.", tally.timesToFirstToken
            ),
            (
                "gen_ai_server_time_per_output_token_seconds",
                "TPOT: (end-to-end - TTFT) / (tokens - 1), of each answer.",
                tally.timesPerOutputToken
            ),
            (
                "gen_ai_server_request_duration_seconds",
                "End-to-end: request received to last token, of each answer.", tally.endToEnds
            ),
            (
                "skein_inter_token_latency_seconds",
                "ITL: the gap between two consecutive emissions of one answer.", tally.gaps
            ),
            (
                "skein_queue_time_seconds",
                "Request received to the first latent pages, of each answer.", tally.queueTimes
            ),
        ]
        for family in families {
            page.add(family.name, family.help, [(["model": model], family.histogram)])
        }
    }

    /// The schedule's numbers.
    mutating func add(_ counts: ScheduleCounts) {
        page.add(
            .gauge, "skein_sequences_running", "Sequences that have begun.",
            [.init(Double(counts.runningCount))])
        page.add(
            .gauge, "skein_sequences_waiting", "Sequences in the queue.",
            [.init(Double(counts.waitingCount))])
        page.add(
            .gauge, "skein_micro_batches_in_flight", "Micro-batches in the ring.",
            [.init(Double(counts.inFlightCount))])
        page.add(
            .gauge, "skein_pages_total", "Latent cache pages of every stage.",
            [.init(Double(counts.pageCount))])
        page.add(
            .gauge, "skein_pages_owned", "Pages owned by sequences.",
            [.init(Double(counts.ownedPageCount))])
        page.add(
            .gauge, "skein_pages_kept", "Pages kept for prompts that begin the same way.",
            [.init(Double(counts.idlePageCount))])
        // Prompt tokens that were in the cache already belong here, beside the pages kept.
        page.add(
            .counter, "skein_preemptions_total",
            "Sequences that gave up their pages for an older one.",
            [.init(Double(counts.totals.preemptionCount))])
    }

    /// The nodes' and stages' numbers, one heartbeat old at most.
    mutating func add(_ status: ClusterStatus) {
        page.add(
            .gauge, "skein_cluster_ready", "1 where every stage can run, else 0.",
            [.init(status.isReady ? 1 : 0)])
        page.add(
            .gauge, "skein_placement_epoch", "The number of the placement.",
            [.init(Double(status.epoch.rawValue))])
        page.add(
            .gauge, "skein_node_resident_bytes", "Resident memory of a node.",
            status.nodes.map { .init(Double($0.residentBytes), ["node": $0.name]) })
        page.add(
            .counter, "skein_node_steps_total", "Steps that a node has run since its placement.",
            status.nodes.filter { $0.upSeconds != nil }.map {
                .init(Double($0.stepCount), ["node": $0.name])
            })
        let times: [(String, String, (ClusterStatus.Stage) -> Double)] = [
            ("busy", "computing", { $0.busySeconds }),
            ("waiting", "without a micro-batch to run", { $0.waitingInSeconds }),
            ("sending", "packing and handing over what it computed", { $0.sendingSeconds }),
            (
                "waiting_combine", "with nothing to compute while it awaited experts elsewhere",
                { $0.waitingCombineSeconds }
            ),
        ]
        for (word, what, seconds) in times {
            page.add(
                .counter, "skein_stage_\(word)_seconds_total",
                "Seconds that a stage spent \(what), since its placement.",
                status.nodes.flatMap { node in
                    node.stages.map { stage in
                        .init(
                            seconds(stage),
                            ["node": node.name, "stage": "\(stage.index.rawValue)"])
                    }
                })
        }
        addExperts(status)
    }

    /// What expert hosts have done.
    private mutating func addExperts(_ status: ClusterStatus) {
        let hosts = status.nodes.compactMap { node in node.expertWork.map { (node.name, $0) } }
        guard !hosts.isEmpty else { return }
        let counts: [(String, String, (ClusterStatus.ExpertWork) -> Double)] = [
            ("steps", "Dispatches that an expert host has run", { Double($0.stepCount) }),
            ("rows", "Rows of these dispatches", { Double($0.rowCount) }),
            ("choices", "Experts that it applied to these rows", { Double($0.choiceCount) }),
            ("busy_seconds", "Seconds that it spent computing", { $0.busySeconds }),
        ]
        for (word, what, value) in counts {
            page.add(
                .counter, "skein_expert_host_\(word)_total", what + ", since its placement.",
                hosts.map { .init(value($0.1), ["node": $0.0]) })
        }
        page.add(
            .counter, "skein_expert_rows_total",
            "Rows that an expert was applied to on a host, all layers summed.",
            hosts.flatMap { name, work in
                work.rowCounts.sorted { $0.key < $1.key }.map {
                    .init(Double($0.value), ["node": name, "expert": "\($0.key)"])
                }
            })
    }
}
