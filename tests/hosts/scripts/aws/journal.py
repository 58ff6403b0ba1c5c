"""What was asked, in the order in which it came."""

import dataclasses
import itertools

#: The oldest are forgotten.
_MOST = 200_000


class Journal:
    """Calls, each with what became of it."""

    def __init__(self):
        self._calls = []
        self._order = itertools.count(1)

    def begin(self, call, fault):
        """Writes a call down before anything is done."""
        entry = {"order": next(self._order), **dataclasses.asdict(call), "fault": fault and fault["kind"]}
        self._calls.append(entry)
        del self._calls[:-_MOST]
        return entry

    def since(self, order):
        """All calls after that one."""
        return [entry for entry in list(self._calls) if entry["order"] > order]

    def clear(self):
        """Nothing was asked."""
        self._calls.clear()
