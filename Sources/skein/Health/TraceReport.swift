import Foundation
import SkeinCore
import SkeinTelemetry

/// Where the time of a trace went, with the names that others script against.
struct TraceReport: Encodable {
    /// One stage.
    struct Stage: Encodable {
        let stage: Int
        let node: String
        let steps: Int
        let busyShare: Double
        let waitingInShare: Double
        let waitingOutShare: Double
        let waitingCombineSeconds: Double
        let sendingShare: Double
        let bubbleShare: Double
        let hopMs: Double
        let communicationSeconds: Double
        let hiddenCommunicationShare: Double?
    }

    let windowSeconds: Double
    let clockErrorMs: Double
    let intervals: Int
    let missedIntervals: Int
    let hiddenCommunicationShare: Double?
    let stages: [Stage]

    init(_ trace: ClusterTrace) {
        let summary = TraceSummary(trace)
        windowSeconds = summary.windowSeconds
        clockErrorMs = Double(trace.clockErrorMicroseconds) / 1_000
        intervals = trace.intervalCount
        missedIntervals = trace.nodes.reduce(0) { $0 + $1.missedCount }
        hiddenCommunicationShare = summary.hiddenShare
        let window = max(summary.windowSeconds, 1e-6)
        stages = summary.stages.map { stage in
            Stage(
                stage: stage.index.rawValue, node: stage.node, steps: stage.stepCount,
                busyShare: stage.busyShare, waitingInShare: stage.waitingInSeconds / window,
                waitingOutShare: stage.waitingOutSeconds / window,
                waitingCombineSeconds: stage.waitingCombineSeconds,
                sendingShare: stage.sendingSeconds / window, bubbleShare: stage.bubbleShare,
                hopMs: stage.hopSeconds * 1_000, communicationSeconds: stage.communicationSeconds,
                hiddenCommunicationShare: stage.hiddenShare)
        }
    }

    /// The report for people.
    var text: String {
        func percent(_ share: Double?) -> String {
            share.map { String(format: "%.1f %%", $0 * 100) } ?? "-"
        }
        var lines = [
            "STAGE  NODE          STEPS   BUSY     WAIT IN  WAIT OUT  SENDING  BUBBLE   HOP IN"
                + "     HIDDEN"
        ]
        for stage in stages {
            lines.append(
                String(stage.stage).padded(to: 7) + stage.node.padded(to: 14)
                    + String(stage.steps).padded(to: 8) + percent(stage.busyShare).padded(to: 9)
                    + percent(stage.waitingInShare).padded(to: 9)
                    + percent(stage.waitingOutShare).padded(to: 10)
                    + percent(stage.sendingShare).padded(to: 9)
                    + percent(stage.bubbleShare).padded(to: 9)
                    + String(format: "%.2f ms", stage.hopMs).padded(to: 11)
                    + percent(stage.hiddenCommunicationShare))
        }
        lines.append(
            "\(percent(hiddenCommunicationShare)) of the communication was hidden under compute of "
                + "the same node, in \(String(format: "%.1f", windowSeconds)) s")
        return lines.joined(separator: "\n") + "\n"
    }
}
