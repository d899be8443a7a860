"""What a run has shown, by kind of fault."""

import bisect

from watch import VERDICT_SECONDS

# A fault may strike within an ordinary gap between two events, which then began before it.
GAP_LEAD_SECONDS = 0.5

# What makes no node sick has no right verdict.
UNNAMED_KINDS = {"delay", "rate", "disk", "restart"}

COLUMNS = [
    ("faults", "faults"), ("failed", "streams_failed"), ("differing", "streams_differing"),
    ("resumed", "streams_resumed"), ("longest pause", "longest_pause_seconds"),
    ("p99 pause", "p99_pause_seconds"), ("worst verdict", "worst_verdict_seconds"),
    ("late verdicts", "late_verdicts"), ("unnamed", "unnamed"),
    ("wrong healthy", "wrongly_healthy")]


class Strike:
    """A fault and what was found of it; moments are those of the monotonic clock."""

    def __init__(self, fault, began):
        self.fault, self.began, self.ended = fault, began, None
        self.pauses, self.failed, self.differing = [], [], []
        self.resumed, self.named_after, self.wrongly_healthy = 0, None, 0
        self.verdicts = []

    @property
    def is_late(self):
        """Whether it lasted long enough to be named, and was not in time."""
        after = self.named_after
        # A link that nobody uses at the moment may be cut, and nothing is sick.
        is_felt = self.fault.kind != "cut" or max(self.pauses, default=0.0) > VERDICT_SECONDS
        return (self.fault.kind not in UNNAMED_KINDS and self.fault.seconds > VERDICT_SECONDS
                and is_felt and (after is None or after > VERDICT_SECONDS))


def _percentile(values, share):
    """The smallest value that so large a share of all do not exceed."""
    values = sorted(values)
    return values[max(0, min(len(values) - 1, int(-(-len(values) * share // 1)) - 1))]


def attribute(strikes, answers, expected, watch):
    """Gives every failure, difference, pause and verdict to the fault that was the last before it.

    Returns what came before the first one, as lists of failures and differences.
    """
    begins = [strike.began for strike in strikes]
    failed_before, differing_before = [], []

    def last_before(moment):
        place = bisect.bisect_right(begins, moment) - 1
        return strikes[place] if place >= 0 else None

    for answer in answers:
        _pauses(answer, last_before)
        strike = last_before(answer.ended)
        if strike is not None:
            strike.resumed += answer.resumed > 0
        if answer.failure is not None:
            (strike.failed if strike else failed_before).append(answer)
            continue
        moment = answer.first_difference(expected[answer.question])
        if moment is not None:
            strike = last_before(moment)
            (strike.differing if strike else differing_before).append(answer)
    for strike in strikes:
        ended = strike.ended or strike.began
        strike.named_after = watch.seconds_to_verdict(strike.fault, strike.began, ended)
        strike.verdicts = watch.words(strike.began, ended)
        strike.wrongly_healthy = len(watch.wrongly_healthy(strike.fault, strike.began, ended))
    return failed_before, differing_before


def _pauses(answer, last_before):
    """Of each fault the longest gap between two events of a stream that began under it."""
    longest = {}
    # A whole answer comes at its end, however it was drawn.
    if not answer.body.get("stream"):
        return
    moments = [answer.asked, *answer.moments]
    # A stream that has failed was silent until it did.
    if answer.failure is not None:
        moments.append(answer.ended)
    for before, after in zip(moments, moments[1:]):
        strike = last_before(min(before + GAP_LEAD_SECONDS, after))
        if strike is not None:
            longest[strike] = max(longest.get(strike, 0.0), after - before)
    for strike, pause in longest.items():
        strike.pauses.append(pause)


def rows(strikes, kinds):
    """A row for every kind of fault."""
    found = []
    for kind in kinds:
        mine = [strike for strike in strikes if strike.fault.kind == kind]
        if not mine:
            continue
        pauses = [pause for strike in mine for pause in strike.pauses]
        named = [strike.named_after for strike in mine if strike.named_after is not None]
        is_named = kind not in UNNAMED_KINDS
        found.append({
            "kind": kind, "faults": len(mine),
            "streams_failed": sum(len(strike.failed) for strike in mine),
            "streams_differing": sum(len(strike.differing) for strike in mine),
            "streams_resumed": sum(strike.resumed for strike in mine),
            "longest_pause_seconds": max(pauses) if pauses else None,
            "p99_pause_seconds": _percentile(pauses, 0.99) if pauses else None,
            "worst_verdict_seconds": max(named) if named and is_named else None,
            "late_verdicts": sum(strike.is_late for strike in mine) if is_named else None,
            "unnamed": len(mine) - len(named) if is_named else None,
            "wrongly_healthy": sum(
                strike.wrongly_healthy for strike in mine) if kind == "stop" else None})
    return found


def table(found):
    """The rows for people."""
    titles = ["kind", *(title for title, _ in COLUMNS)]
    lines = [titles]
    for row in found:
        cells = [row["kind"]]
        for _, key in COLUMNS:
            value = row[key]
            cells.append("-" if value is None else (
                f"{value:.1f} s" if isinstance(value, float) else str(value)))
        lines.append(cells)
    widths = [max(len(line[place]) for line in lines) for place in range(len(titles))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
        for line in lines)


def detail(strike):
    """One fault as an object."""
    fault = strike.fault
    return {
        "number": fault.number, "kind": fault.kind, "at": fault.at, "seconds": fault.seconds,
        "targets": list(fault.targets), "what": str(fault),
        "longest_pause_seconds": max(strike.pauses, default=None),
        "pauses_seconds": sorted(round(pause, 2) for pause in strike.pauses),
        "named_after_seconds": strike.named_after, "is_late": strike.is_late,
        "wrongly_healthy": strike.wrongly_healthy,
        "failed": [{"stream": answer.name, "reason": answer.failure} for answer in strike.failed],
        "differing": [{"stream": answer.name, "question": answer.question}
                      for answer in strike.differing],
        "verdicts": strike.verdicts}
