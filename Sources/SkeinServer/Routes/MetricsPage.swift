internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinMembership
internal import SkeinTelemetry

/// What `/metrics` says: the front's tally and the cluster's state, for Prometheus.
struct MetricsPage {
    var page = PrometheusText()
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
            .gauge, "skein_pages", "Latent cache pages of every stage.",
            [.init(Double(counts.pageCount))])
        page.add(
            .gauge, "skein_pages_owned", "Pages owned by sequences.",
            [.init(Double(counts.ownedPageCount))])
        page.add(
            .gauge, "skein_pages_kept", "Pages kept for prompts that begin the same way.",
            [.init(Double(counts.idlePageCount))])
        page.add(
            .counter, "skein_preemptions_total",
            "Sequences that gave up their pages for an older one.",
            [.init(Double(counts.totals.preemptionCount))])
    }

    /// The program itself: its version, and what the system says of its process.
    mutating func add(version: String, process: ProcessFigures) {
        page.add(
            .gauge, "skein_build_info", "1, with the version that the head runs.",
            [.init(1, ["version": version])])
        let figures: [(PrometheusText.Kind, String, String, Double?)] = [
            (
                .gauge, "start_time_seconds", "When the process started, in seconds since 1970.",
                process.startSeconds
            ),
            (
                .counter, "cpu_seconds_total", "CPU time of the process, in seconds.",
                process.cpuSeconds
            ),
            (
                .gauge, "resident_memory_bytes", "Memory of the process.",
                process.residentBytes.map(Double.init)
            ),
            (
                .gauge, "virtual_memory_bytes", "Address space of the process.",
                process.virtualBytes.map(Double.init)
            ),
            (
                .gauge, "open_fds", "Open file descriptors of the process.",
                process.openFileCount.map(Double.init)
            ),
            (
                .gauge, "max_fds", "File descriptors that the process may open.",
                process.openFilesMax.map(Double.init)
            ),
        ]
        for (kind, name, help, value) in figures {
            page.add(kind, "process_" + name, help, value.map { [.init($0)] } ?? [])
        }
    }

    /// Whether the cluster serves, and why not, as `/health` says without a probe.
    mutating func add(_ verdict: HealthVerdict) {
        page.add(
            .gauge, "skein_cluster_verdict", "1 for the verdict that holds, 0 for the others.",
            HealthVerdict.Level.allCases.map {
                .init($0 == verdict.level ? 1 : 0, ["verdict": $0.rawValue])
            })
        let counts = Dictionary(
            verdict.reasons.map { (["\($0.code.rawValue)", $0.node ?? ""], 1) },
            uniquingKeysWith: +)
        page.add(
            .gauge, "skein_health_reasons",
            "Reasons for which the cluster is not healthy, by code and node.",
            counts.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map {
                .init(Double($0.value), ["code": $0.key[0], "node": $0.key[1]])
            })
    }

    /// What the reuse of equal beginnings of prompts has brought.
    mutating func add(_ totals: ScheduleCounts.Totals) {
        let counts = [
            (
                "prompt_tokens", "Prompt tokens of all sequences that have begun.",
                totals.promptTokenCount
            ),
            (
                "hit_tokens",
                "Prompt tokens that were not run, since their rows were in the cache.",
                totals.cachedTokenCount
            ),
            (
                "evicted_pages", "Pages kept for their rows that were given up for others.",
                totals.evictionCount
            ),
        ]
        for (word, help, count) in counts {
            page.add(.counter, "skein_prefix_cache_\(word)_total", help, [.init(Double(count))])
        }
        let drafts = [
            ("drafts", "Tokens guessed ahead that were verified.", totals.draftCounts),
            (
                "drafts_accepted", "Tokens guessed ahead that were right.",
                totals.acceptedDraftCounts
            ),
        ]
        for (word, help, counts) in drafts {
            page.add(
                .counter, "skein_\(word)_total", help + " By place among those of a step.",
                counts.enumerated().map { .init(Double($1), ["place": "\($0 + 1)"]) })
        }
    }

    /// The nodes' and stages' numbers, one heartbeat old at most; what a node has not said, or what
    /// no longer holds since it is gone, is left out.
    mutating func add(_ status: ClusterStatus) {
        page.add(
            .gauge, "skein_cluster_ready", "1 where every stage can run, else 0.",
            [.init(status.isReady ? 1 : 0)])
        page.add(
            .gauge, "skein_placement_epoch", "The number of the placement.",
            [.init(Double(status.epoch.rawValue))])
        page.add(
            .gauge, "skein_sequences_waiting_max", "Sequences that the queue holds at most.",
            [.init(Double(status.counts.waitingMax))])
        add(status.counts.totals)
        addNodes(status.nodes)
        addStages(status)
        addExperts(status)
    }

    /// Where each node stands, and what it has said of itself.
    private mutating func addNodes(_ nodes: [ClusterStatus.Node]) {
        page.add(
            .gauge, "skein_node_up", "1 where a node is in the cluster, else 0.",
            nodes.map { .init($0.isHere ? 1 : 0, ["node": $0.name]) })
        page.add(
            .gauge, "skein_node_state", "1 for the state in which a node is, 0 for the others.",
            nodes.flatMap { node in
                NodeState.allCases.map {
                    .init(
                        $0.rawValue == node.state ? 1 : 0,
                        ["node": node.name, "state": $0.rawValue])
                }
            })
        page.add(
            .gauge, "skein_node_info", "1, with what a node is and runs.",
            nodes.filter(\.isHere).map { node in
                .init(
                    1,
                    [
                        "node": node.name, "role": node.role, "version": node.softwareVersion ?? "",
                        "instruction_set": node.instructionSet ?? "",
                    ])
            })
        page.add(
            .gauge, "skein_standbys_missing", "Standbys that are not in the cluster.",
            [.init(Double(nodes.count { $0.isStandby && !$0.isHere }))])
        let figures: [(String, String, (ClusterStatus.Node) -> Double?)] = [
            (
                "resident_bytes", "Resident memory of a node.",
                { $0.residentBytes > 0 ? Double($0.residentBytes) : nil }
            ),
            (
                "memory_available_bytes", "Memory that a node may still take.",
                { $0.memoryAvailableBytes > 0 ? Double($0.memoryAvailableBytes) : nil }
            ),
            (
                "weight_bytes", "Weights that a node has loaded.",
                { $0.isHere && $0.weightBytes > 0 ? Double($0.weightBytes) : nil }
            ),
            ("silence_seconds", "Seconds since a node was last heard.", { $0.silentSeconds }),
            (
                "round_trip_seconds", "The smoothed round trip of a heartbeat.",
                { $0.roundTripSeconds }
            ),
            ("uptime_seconds", "Seconds since a node started.", { $0.upSeconds }),
        ]
        for (word, help, value) in figures {
            page.add(
                .gauge, "skein_node_\(word)", help,
                nodes.compactMap { node in value(node).map { .init($0, ["node": node.name]) } })
        }
        page.add(
            .counter, "skein_node_steps_total", "Steps that a node has run since its placement.",
            nodes.filter { $0.upSeconds != nil }.map {
                .init(Double($0.stepCount), ["node": $0.name])
            })
    }

    /// Where the time of each stage went.
    private mutating func addStages(_ status: ClusterStatus) {
        let times: [(String, String, (ClusterStatus.Stage) -> Double)] = [
            ("busy", "computing", { $0.busySeconds }),
            ("waiting", "without a micro-batch to run", { $0.waitingInSeconds }),
            ("sending", "packing and handing over what it computed", { $0.sendingSeconds }),
            (
                "waiting_combine", "with nothing to compute while it awaited remote experts",
                { $0.waitingCombineSeconds }
            ),
        ]
        for (word, what, seconds) in times {
            page.add(
                .counter, "skein_stage_\(word)_seconds_total",
                "Seconds that a stage spent \(what), since its placement.",
                status.nodes.filter { $0.upSeconds != nil }.flatMap { node in
                    node.stages.map { stage in
                        .init(
                            seconds(stage),
                            ["node": node.name, "stage": "\(stage.index.rawValue)"])
                    }
                })
        }
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
