#include "CSkeinKernels.h"

#ifdef __linux__
#include <sys/timex.h>
#endif

/* The kernel's own account: a daemon that sets the clock clears STA_UNSYNC. Asking changes
   nothing and needs no right. */
int skein_clock_is_synchronized(void) {
#ifdef __linux__
    struct timex state = {0};
    int outcome = adjtimex(&state);
    if (outcome < 0) return -1;
    return outcome != TIME_ERROR && !(state.status & STA_UNSYNC);
#else
    return -1;
#endif
}
