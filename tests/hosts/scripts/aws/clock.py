"""What happens by itself after a while: instances that come to run, gateways that become available.

Nothing runs beside requests. Before each request all that is due happens, in the order in which it was due, as if it had
happened at its time. With a delay of nothing it is due at once: the answer to a request still says `pending`, and the next
request finds what became of it. Who does not want to wait moves the clock on."""

import heapq
import itertools
import time

#: How long each change of a state takes, in seconds.
delay = 0.0
_waiting: list[tuple[float, int, object]] = []
_order = itertools.count()
_moment: float | None = None
_moved = 0.0


def now():
    """The time, in seconds: that of what happens, while something does."""
    return time.monotonic() + _moved if _moment is None else _moment


def move(seconds):
    """It is so many seconds later."""
    global _moved
    _moved += seconds


def later(happening, seconds=None):
    """`happening` is called after so many seconds, or after the delay of every change."""
    wait = delay if seconds is None else seconds
    heapq.heappush(_waiting, (now() + wait, next(_order), happening))


def settle():
    """Lets all happen that is due."""
    global _moment
    until = now()
    while _waiting and _waiting[0][0] <= until:
        _moment, _, happening = heapq.heappop(_waiting)
        try:
            happening()
        finally:
            _moment = None


def reset():
    """Nothing is waited for any longer."""
    _waiting.clear()
