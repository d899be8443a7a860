/// A table of a report, as text and as HTML.
struct FigureTable: Equatable, Sendable {
    let title: String
    /// Titles of the columns; empty where there are none.
    var header: [String] = []
    /// Rows of cells, the first of which is a title.
    var rows: [[String]]
    /// Whether cells behind the first are figures, which stand to the right.
    var isFigures = true

    /// The table under a heading that has its title.
    var untitled: FigureTable {
        FigureTable(title: "", header: header, rows: rows, isFigures: isFigures)
    }

    /// The table in lines of text, its title first.
    var lines: [String] {
        let all = (header.isEmpty ? [] : [header]) + rows
        let columnCount = all.map(\.count).max() ?? 0
        let widths = (0..<columnCount).map { column in
            all.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0
        }
        let lines = all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let width = widths[column]
                let isRight = isFigures && column > 0
                line += "  "
                line +=
                    isRight
                    ? FigureText.rightAligned(cell, max(width, 8)) : FigureText.padded(cell, width)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
        return (title.isEmpty ? [] : [title]) + lines
    }

    /// The table as an HTML element.
    var markup: String {
        func row(_ cells: [String], _ element: String) -> String {
            let cells = cells.enumerated().map { column, cell in
                let name = column == 0 ? "th" : element
                return "<\(name)>\(cell.markupEscaped)</\(name)>"
            }
            return "<tr>\(cells.joined())</tr>\n"
        }
        var markup = "<table\(isFigures ? "" : " class=\"words\"")>\n"
        if !title.isEmpty { markup += "<caption>\(title.markupEscaped)</caption>\n" }
        if !header.isEmpty { markup += "<thead>\(row(header, "th"))</thead>\n" }
        markup += "<tbody>" + rows.map { row($0, "td") }.joined() + "</tbody>\n</table>\n"
        return "<div class=\"table\">\(markup)</div>\n"
    }
}
