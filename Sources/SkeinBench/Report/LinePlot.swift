import Foundation

/// A plot of lines as SVG, small enough to read in one sitting.
struct LinePlot {
    /// One line of the plot.
    struct Line {
        let name: String
        let points: [(x: Double, y: Double)]
        /// Whether the value holds until the next point, as counts of a second do.
        var isStepped = false
    }

    let title: String
    let xTitle: String
    let yTitle: String
    let lines: [Line]
    /// Whether equal distances to the right are equal ratios.
    var isLogarithmic = false
    /// Vertical lines with their names.
    var marks: [(x: Double, name: String)] = []

    private static let width = 640.0
    private static let height = 300.0
    private static let left = 64.0
    private static let right = 16.0
    private static let top = 34.0
    private static let bottom = 46.0
    /// Distinct in light and in dark, and for most who confuse red and green.
    private static let colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
    /// More points than the plot has columns draw nothing that an eye could see.
    private static let pointsMax = 1_200
    /// Points of a line that say their values where they are pointed at.
    private static let toldPointsMax = 60

    /// The plot as an `svg` element.
    var svg: String {
        let all = lines.flatMap(\.points)
        let xAxis = PlotAxis(all.map(\.x) + marks.map(\.x), isLogarithmic: isLogarithmic)
        let yAxis = PlotAxis(all.map(\.y))
        var svg = """
            <svg viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" role="img" \
            aria-label="\(title.markupEscaped)">
            <text class="title" x="\(Int(Self.left))" y="18">\(title.markupEscaped)</text>

            """
        svg += drawn(xAxis, yAxis)
        for (index, line) in lines.enumerated() {
            svg += drawn(line, colour: Self.colours[index % Self.colours.count], xAxis, yAxis)
            svg += legend(line.name, index)
        }
        for (index, mark) in marks.enumerated() { svg += drawn(mark, index, xAxis) }
        for line in lines { svg += values(of: line, xAxis, yAxis) }
        return svg + "</svg>\n"
    }

    // MARK: - Private

    private func drawn(_ xAxis: PlotAxis, _ yAxis: PlotAxis) -> String {
        var svg = ""
        let base = Self.height - Self.bottom
        for tick in yAxis.ticks {
            let y = Self.y(tick, yAxis)
            svg += """
                <line class="grid" x1="\(Self.text(Self.left))" y1="\(y)" \
                x2="\(Self.text(Self.width - Self.right))" y2="\(y)"/>
                <text text-anchor="end" x="\(Self.text(Self.left - 6))" y="\(y)" dy="4">\
                \(FigureText.number(tick))</text>

                """
        }
        for tick in xAxis.ticks {
            svg += """
                <text text-anchor="middle" x="\(Self.x(tick, xAxis))" \
                y="\(Self.text(base + 16))">\(FigureText.number(tick))</text>

                """
        }
        let xTitle = isLogarithmic ? xTitle + " (logarithmic)" : xTitle
        return svg + """
            <text text-anchor="middle" x="\(Self.text((Self.left + Self.width - Self.right) / 2))" \
            y="\(Self.text(Self.height - 8))">\(xTitle.markupEscaped)</text>
            <text text-anchor="middle" transform="translate(14 \
            \(Self.text((Self.top + base) / 2))) rotate(-90)">\(yTitle.markupEscaped)</text>

            """
    }

    private func drawn(
        _ line: Line, colour: String, _ xAxis: PlotAxis, _ yAxis: PlotAxis
    ) -> String {
        let points = Self.thinned(line.points, to: Self.pointsMax)
        guard let first = points.first else { return "" }
        var path = "M\(Self.x(first.x, xAxis)) \(Self.y(first.y, yAxis))"
        for point in points.dropFirst() {
            if line.isStepped { path += "H\(Self.x(point.x, xAxis))" }
            path += "L\(Self.x(point.x, xAxis)) \(Self.y(point.y, yAxis))"
        }
        var svg = "<path d=\"\(path)\" stroke=\"\(colour)\"/>\n"
        if points.count <= 24, !line.isStepped {
            for point in points {
                svg += "<circle cx=\"\(Self.x(point.x, xAxis))\" "
                svg += "cy=\"\(Self.y(point.y, yAxis))\" r=\"3\" fill=\"\(colour)\"/>\n"
            }
        }
        return svg
    }

    private func drawn(_ mark: (x: Double, name: String), _ index: Int, _ axis: PlotAxis) -> String
    {
        let x = Self.x(mark.x, axis)
        // Names of marks that are near each other stand below each other.
        let y = Self.text(Self.top + 10 + 12 * Double(index))
        let isAtEnd = axis.share(of: mark.x) > 0.85
        return """
            <line class="mark" x1="\(x)" y1="\(Self.text(Self.top))" x2="\(x)" \
            y2="\(Self.text(Self.height - Self.bottom))"/>
            <text x="\(x)" y="\(y)" dx="\(isAtEnd ? -4 : 4)"\
            \(isAtEnd ? " text-anchor=\"end\"" : "")>\(mark.name.markupEscaped)</text>

            """
    }

    /// Spots that nobody sees and that say their values where they are pointed at.
    private func values(of line: Line, _ xAxis: PlotAxis, _ yAxis: PlotAxis) -> String {
        Self.thinned(line.points, to: Self.toldPointsMax).map { point in
            """
            <circle class="spot" cx="\(Self.x(point.x, xAxis))" cy="\(Self.y(point.y, yAxis))" \
            r="7"><title>\(line.name.markupEscaped): \(FigureText.number(point.y)) \
            (\(yTitle.markupEscaped)) at \(FigureText.number(point.x)) \
            (\(xTitle.markupEscaped))</title></circle>

            """
        }.joined()
    }

    private func legend(_ name: String, _ index: Int) -> String {
        guard lines.count > 1 else { return "" }
        // As much as the longest name takes, so that the title has the rest.
        let longest = Double(lines.map(\.name.count).max() ?? 0)
        let space = min(380 / Double(lines.count), 35 + 7 * longest)
        let x = Self.width - Self.right - Double(lines.count - index) * space
        return """
            <rect x="\(Self.text(x))" y="9" width="10" height="10" \
            fill="\(Self.colours[index % Self.colours.count])"/>
            <text x="\(Self.text(x + 15))" y="18">\(name.markupEscaped)</text>

            """
    }

    private static func x(_ value: Double, _ axis: PlotAxis) -> String {
        text(left + axis.share(of: value) * (width - left - right))
    }

    private static func y(_ value: Double, _ axis: PlotAxis) -> String {
        text(height - bottom - axis.share(of: value) * (height - top - bottom))
    }

    private static func text(_ value: Double) -> String { String(format: "%.1f", value) }

    private static func thinned(
        _ points: [(x: Double, y: Double)], to count: Int
    ) -> [(x: Double, y: Double)] {
        guard points.count > count else { return points }
        let stride = Double(points.count - 1) / Double(count - 1)
        return (0..<count).map { points[Int((Double($0) * stride).rounded())] }
    }
}

extension String {
    /// The text where a page of HTML or SVG may hold it.
    var markupEscaped: String {
        var escaped = ""
        for character in self {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
