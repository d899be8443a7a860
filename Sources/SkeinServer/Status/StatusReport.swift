public import SkeinTelemetry

/// What a process answers on its own HTTP port, at one moment.
public struct StatusReport: Sendable {
    /// Why it is not ready, in one line; `nil` where it is.
    public let waitsFor: String?

    /// Measurements in the text format of Prometheus.
    public let metrics: String

    /// A node's.
    public init(_ node: NodeFigures, version: String) {
        waitsFor = node.waitsFor
        var page = MetricsPage(model: "")
        page.add(node)
        page.add(version: version, process: ProcessFigures.now())
        metrics = page.text
    }

    /// Another process's, which has measurements of itself alone.
    public init(waitsFor: String?, version: String) {
        self.waitsFor = waitsFor
        var page = MetricsPage(model: "")
        page.add(version: version, process: ProcessFigures.now())
        metrics = page.text
    }
}
