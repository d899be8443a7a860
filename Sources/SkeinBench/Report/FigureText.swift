import Foundation

/// Numbers as people read them.
enum FigureText {
    /// What stands where nothing was measured.
    static let absent = "–"

    /// At most two decimals, none for a whole number, three significant digits for a small one.
    static func number(_ value: Double?) -> String {
        guard let value, value.isFinite else { return absent }
        if value == value.rounded(), abs(value) < 1e15 { return String(Int(value)) }
        if abs(value) < 1 { return String(format: "%.3g", value) }
        return String(format: "%.2f", value)
    }

    /// A share as a percentage.
    static func percent(_ share: Double?) -> String {
        share.map { String(format: "%.1f %%", $0 * 100) } ?? absent
    }

    /// A whole number.
    static func count(_ count: Int?) -> String { count.map(String.init) ?? absent }

    /// A text that fills a column, to the left.
    static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// A text that fills a column, to the right.
    static func rightAligned(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
