import Foundation
import SkeinCore
import SkeinPlanning

/// Both placements over delays and numbers of streams, by the same cost model as a plan.
struct PlanComparison: Encodable {
    /// One placement in one cell.
    struct Placement: Encodable {
        let nodes: Int
        let decodeMicroBatches: Int
        let predictedTpotMs: Double
        let predictedOutputTokensPerSecond: Double
        let predictedBubbleShare: Double
    }

    /// One delay and one number of streams.
    struct Cell: Encodable {
        let delayMs: Double
        let streams: Int
        let linear: Placement?
        let vfold: Placement?
        let chosen: String
    }

    let cells: [Cell]

    /// Plans each cell with as many ring nodes as there are hosts for them.
    init(
        configuration: ModelConfiguration, hosts: PlannedHosts, wish: PlanWish,
        options: PlanComparisonOptions
    ) throws {
        let able = hosts.hosts.count { $0.role != .experts }
        // Ring nodes for whose stages there are layers.
        let layers = configuration.layerCount / (wish.kind ?? .linear).stageCount(nodeCount: 1)
        var cells: [Cell] = []
        for delay in try options.delayMilliseconds {
            var delayed = hosts
            delayed.link.latencySeconds += delay / 1_000
            for pair in delayed.pairLinks.keys {
                delayed.pairLinks[pair]?.latencySeconds += delay / 1_000
            }
            for streamCount in try options.streamCounts {
                var cellWish = wish
                cellWish.sequenceCount = streamCount
                cellWish.nodeCount = wish.nodeCount ?? min(able, layers)
                cellWish.expertHostCount = wish.expertHostCount ?? 0
                let plan = try ClusterPlanner(
                    configuration: configuration, hosts: delayed, wish: cellWish
                ).plan()
                cells.append(
                    Cell(
                        delayMs: delay, streams: streamCount, linear: Self.best(.linear, plan),
                        vfold: Self.best(.vfold, plan), chosen: plan.ring.kind.rawValue))
            }
        }
        self.cells = cells
    }

    private static func best(_ kind: PlacementKind, _ plan: ClusterPlan) -> Placement? {
        plan.candidates.filter { $0.ring.kind == kind }
            .max { $0.simulated.tokensPerSecond < $1.simulated.tokensPerSecond }
            .map { alternative in
                Placement(
                    nodes: alternative.ring.nodeHosts.count,
                    decodeMicroBatches: alternative.forecast.microBatchCount,
                    predictedTpotMs: alternative.simulated.timePerTokenSeconds * 1_000,
                    predictedOutputTokensPerSecond: alternative.simulated.tokensPerSecond,
                    predictedBubbleShare: alternative.forecast.bubbleShare)
            }
    }

    /// The table for people.
    var text: String {
        func rate(_ placement: Placement?) -> String {
            placement.map { String(format: "%.1f", $0.predictedOutputTokensPerSecond) } ?? "–"
        }
        func count(_ placement: Placement?) -> String {
            placement.map { String($0.decodeMicroBatches) } ?? "–"
        }
        var rows = [
            ["delay ms", "streams", "linear tokens/s", "M", "vfold tokens/s", "M", "chosen"]
        ]
        rows += cells.map { cell in
            [
                String(format: "%g", cell.delayMs), String(cell.streams), rate(cell.linear),
                count(cell.linear), rate(cell.vfold), count(cell.vfold), cell.chosen,
            ]
        }
        return PlainTable(rows).text
    }
}

/// Rows of cells, each column as wide as its widest.
struct PlainTable {
    private let rows: [[String]]

    init(_ rows: [[String]]) { self.rows = rows }

    /// The rows, two spaces between columns.
    var text: String {
        let columnCount = rows.map(\.count).max() ?? 0
        let widths = (0..<columnCount).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            var line = row.enumerated().map { column, cell in
                cell + String(repeating: " ", count: widths[column] - cell.count)
            }.joined(separator: "  ")
            while line.hasSuffix(" ") { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}
