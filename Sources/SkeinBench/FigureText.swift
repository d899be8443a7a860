import Foundation

/// Numbers as people read them.
enum FigureText {
    /// At most two decimals, none for a whole number, three significant digits for a small one.
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        if value == value.rounded(), abs(value) < 1e15 { return String(Int(value)) }
        if abs(value) < 1 { return String(format: "%.3g", value) }
        return String(format: "%.2f", value)
    }

    /// A share as a percentage.
    static func percent(_ share: Double) -> String {
        String(format: "%.1f %%", share * 100)
    }

    /// A text that fills a column, to the left.
    static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// A text that fills a column, to the right.
    static func rightAligned(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
