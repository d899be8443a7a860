internal import CSkeinKernels

/// The clock of this machine.
public enum MachineClock {
    /// Whether something keeps it with the clocks of others; `nil` where the system does not say.
    ///
    /// Containers may be kept from asking.
    public static var isSynchronized: Bool? {
        switch skein_clock_is_synchronized() {
        case 1: true
        case 0: false
        default: nil
        }
    }
}
