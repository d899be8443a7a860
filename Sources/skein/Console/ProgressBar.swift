import Foundation
import Logging
import SkeinCluster
import Synchronization

/// Shows long work: a bar on a terminal, plain lines in a log.
final class ProgressBar: Sendable {
    private struct State {
        var lastTenth = -1
        var lastPercent = -1
        var hasBar = false
    }

    private let title: String
    private let state = Mutex(State())

    init(title: String) { self.title = title }

    /// Shows how far the work is.
    func show(doneBytes: Int, totalBytes: Int) {
        show(done: doneBytes, total: totalBytes, whole: "\(ByteText(totalBytes))")
    }

    /// Shows how far the work is, in units of any kind.
    ///
    /// - Parameter whole: all of them, in words.
    func show(done: Int, total: Int, whole: String) {
        let percent = total == 0 ? 100 : done * 100 / total
        state.withLock { state in
            if Console.errorIsTerminal {
                guard percent != state.lastPercent else { return }
                state.lastPercent = percent
                state.hasBar = true
                let filled = percent / 4
                let bar =
                    String(repeating: "█", count: filled)
                    + String(repeating: "░", count: 25 - filled)
                let line = "\r\(title) \(bar) \(percent) % of \(whole)"
                FileHandle.standardError.write(Data(line.utf8))
            } else if percent / 10 != state.lastTenth {
                state.lastTenth = percent / 10
                Console.say(
                    "\(title): \(percent) % of \(whole)",
                    ["percent": .stringConvertible(percent)])
            }
        }
    }

    /// Leaves the bar's line.
    func finish() {
        state.withLock { state in
            if state.hasBar { Console.standardError("") }
            state.hasBar = false
        }
    }
}
