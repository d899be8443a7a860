import Foundation
import SkeinBench
import Synchronization

/// Shows how far a load is: a bar on a terminal, plain lines in a log.
final class BenchProgress: Sendable {
    private struct State {
        var phase = ""
        var lastTenth = -1
        var lastShown = ContinuousClock.now - .seconds(1)
        var hasBar = false
    }

    /// A terminal needs no more pictures than an eye takes in.
    private static let interval: Duration = .milliseconds(100)

    private let state = Mutex(State())

    /// Shows how far the load is.
    func show(_ progress: ServingProgress) {
        state.withLock { state in
            let isNew = state.phase != progress.phase
            let isOver = progress.share >= 1
            if Console.errorIsTerminal {
                guard isNew || isOver || ContinuousClock.now - state.lastShown >= Self.interval
                else { return }
                if isNew, state.hasBar { Console.standardError("") }
                let filled = Int(min(1, max(0, progress.share)) * 25)
                let bar =
                    String(repeating: "█", count: filled)
                    + String(repeating: "░", count: 25 - filled)
                let line = "\r\u{1B}[K\(progress.phase) \(bar) \(Self.text(progress))"
                FileHandle.standardError.write(Data(line.utf8))
                state.hasBar = true
                state.lastShown = .now
            } else {
                let tenth = Int(progress.share * 10)
                guard isNew || tenth != state.lastTenth else { return }
                state.lastTenth = tenth
                Console.standardError("\(progress.phase): \(Self.text(progress))")
            }
            state.phase = progress.phase
        }
    }

    /// Leaves the bar's line.
    func finish() {
        state.withLock { state in
            if state.hasBar { Console.standardError("") }
            state.hasBar = false
        }
    }

    private static func text(_ progress: ServingProgress) -> String {
        let total = progress.totalCount.map { " of \($0)" } ?? ""
        let failed = progress.failedCount > 0 ? ", \(progress.failedCount) failed" : ""
        return "\(progress.finishedCount)\(total) done\(failed), \(progress.runningCount) running"
    }
}
