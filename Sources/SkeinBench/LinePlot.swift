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
    /// A vertical line with its name.
    var mark: (x: Double, name: String)?

    private static let width = 640.0
    private static let height = 300.0
    private static let left = 64.0
    private static let right = 16.0
    private static let top = 34.0
    private static let bottom = 46.0
    /// Distinct in light and in dark, and for most who confuse red and green.
    private static let colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"]
    /// More points than the plot has columns draw nothing that an eye could see.
    private static let pointsMax = 1_200

    /// The plot as an `svg` element.
    var svg: String {
        let all = lines.flatMap(\.points)
        let xMax = Self.nice(max(all.map(\.x).max() ?? 1, mark?.x ?? 0))
        let yMax = Self.nice(all.map(\.y).max() ?? 1)
        var svg = """
            <svg viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" role="img" \
            aria-label="\(title.markupEscaped)">
            <text class="title" x="\(Int(Self.left))" y="18">\(title.markupEscaped)</text>

            """
        svg += axes(xMax: xMax, yMax: yMax)
        for (index, line) in lines.enumerated() {
            svg += drawn(line, colour: Self.colours[index % Self.colours.count], xMax, yMax)
            svg += legend(line.name, index)
        }
        if let mark {
            let x = Self.x(mark.x, xMax)
            svg += """
                <line class="mark" x1="\(x)" y1="\(Self.text(Self.top))" x2="\(x)" \
                y2="\(Self.text(Self.height - Self.bottom))"/>
                <text x="\(x)" y="\(Self.text(Self.top + 10))" dx="4">\
                \(mark.name.markupEscaped)</text>

                """
        }
        return svg + "</svg>\n"
    }

    private func axes(xMax: Double, yMax: Double) -> String {
        var svg = ""
        let base = Self.height - Self.bottom
        for step in 0...4 {
            let share = Double(step) / 4
            let (x, y) = (Self.x(xMax * share, xMax), Self.y(yMax * share, yMax))
            svg += """
                <line class="grid" x1="\(Self.text(Self.left))" y1="\(y)" \
                x2="\(Self.text(Self.width - Self.right))" y2="\(y)"/>
                <text text-anchor="end" x="\(Self.text(Self.left - 6))" y="\(y)" dy="4">\
                \(FigureText.number(yMax * share))</text>
                <text text-anchor="middle" x="\(x)" y="\(Self.text(base + 16))">\
                \(FigureText.number(xMax * share))</text>

                """
        }
        svg += """
            <text text-anchor="middle" x="\(Self.text((Self.left + Self.width - Self.right) / 2))" \
            y="\(Self.text(Self.height - 8))">\(xTitle.markupEscaped)</text>
            <text text-anchor="middle" transform="translate(14 \
            \(Self.text((Self.top + base) / 2))) rotate(-90)">\(yTitle.markupEscaped)</text>

            """
        return svg
    }

    private func drawn(_ line: Line, colour: String, _ xMax: Double, _ yMax: Double) -> String {
        let points = Self.thinned(line.points)
        guard let first = points.first else { return "" }
        var path = "M\(Self.x(first.x, xMax)) \(Self.y(first.y, yMax))"
        for point in points.dropFirst() {
            if line.isStepped { path += "H\(Self.x(point.x, xMax))" }
            path += "L\(Self.x(point.x, xMax)) \(Self.y(point.y, yMax))"
        }
        var svg = "<path d=\"\(path)\" stroke=\"\(colour)\"/>\n"
        if points.count <= 24, !line.isStepped {
            for point in points {
                svg += "<circle cx=\"\(Self.x(point.x, xMax))\" cy=\"\(Self.y(point.y, yMax))\" "
                svg += "r=\"3\" fill=\"\(colour)\"/>\n"
            }
        }
        return svg
    }

    private func legend(_ name: String, _ index: Int) -> String {
        guard lines.count > 1 else { return "" }
        let x = Self.width - Self.right - Double(lines.count - index) * 110
        return """
            <rect x="\(Self.text(x))" y="9" width="10" height="10" \
            fill="\(Self.colours[index % Self.colours.count])"/>
            <text x="\(Self.text(x + 15))" y="18">\(name.markupEscaped)</text>

            """
    }

    private static func x(_ value: Double, _ most: Double) -> String {
        text(left + value / most * (width - left - right))
    }

    private static func y(_ value: Double, _ most: Double) -> String {
        text(height - bottom - value / most * (height - top - bottom))
    }

    private static func text(_ value: Double) -> String { String(format: "%.1f", value) }

    private static func thinned(_ points: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
        guard points.count > pointsMax else { return points }
        let stride = Double(points.count - 1) / Double(pointsMax - 1)
        return (0..<pointsMax).map { points[Int((Double($0) * stride).rounded())] }
    }

    /// The next round number at or above a value: 1, 2, 4 or 8 times a power of ten.
    static func nice(_ value: Double) -> Double {
        guard value > 0, value.isFinite else { return 1 }
        let power = pow(10, floor(log10(value)))
        let factor = [1, 2, 4, 8, 10].first { $0 * power >= value * 0.999_999 } ?? 10
        return factor * power
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
