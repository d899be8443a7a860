internal import Foundation

/// What the system counts of this program's time on its cores.
enum ProcessorTime {
    /// Seconds of all threads until now.
    static func seconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
