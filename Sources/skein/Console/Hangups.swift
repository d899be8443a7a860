import Foundation
import UnixSignals

/// SIGHUP, by which a program that runs for long is asked to read its files again.
enum Hangups {
    /// Acts on every SIGHUP until the task is cancelled.
    ///
    /// Where it came since the terminal is gone, the program ends in good order instead, as
    /// it always did.
    static func each(_ act: @Sendable () async -> Void) async {
        let hadTerminal = isatty(STDERR_FILENO) == 1
        for await _ in await UnixSignalsSequence(trapping: .sighup) {
            if hadTerminal, isatty(STDERR_FILENO) != 1 {
                kill(getpid(), SIGTERM)
            } else {
                await act()
            }
        }
    }
}
