"""The emulator as one WSGI application: moto, patched, with trouble before and behind it, and a way to tell it things."""

import json
import socket
import struct
import threading
import time
import traceback
from urllib.parse import parse_qs

from . import clock, faults, patches, wire
from .journal import Journal

CONTROL = "/_keelson/"
_LONGEST_REASON = 300
_LONGEST_CRASH = 4000


class Emulator:
    """Takes what moto's own application takes, and paths below `CONTROL`:

    | request | what it does |
    |---|---|
    | GET, POST, DELETE faults | shows the rules of `faults`, adds one or a list, forgets all |
    | GET calls?since=0, DELETE calls | the calls after that one; forgets all |
    | GET, POST settings | `delay`, in seconds; `health` of targets; `without`, names of patches; `late`: for how many \
seconds what was made does not show; `advance`: how many the clock is moved on; `network`: where machines play instances |
    | GET instances | all instances with what a machine needs that plays one, and the ids of all volumes: `machines` |
    | GET names | what hosts can resolve: each name with its addresses: `names` |
    | POST reset | everything is as at the start, but for buckets, which are gone too |
    """

    def __init__(self, moto):
        self._moto = moto
        self._faults = faults.Faults()
        self._journal = Journal()
        self._lock = threading.RLock()
        self._start = {"delay": clock.delay, "late": 0, "health": "healthy", "without": sorted(patches.WITHOUT)}

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if path.startswith(CONTROL):
            with self._lock:
                status, told = self._control(path.removeprefix(CONTROL), environ)
            return _reply(start_response, status, json.dumps(told).encode(), "application/json")
        call = wire.identify(environ)
        with self._lock:
            rule = self._faults.take(call)
            entry = self._journal.begin(call, rule)
        if rule and rule["kind"] in ("fail", "throttle"):
            return self._in_its_place(rule, call, entry, environ, start_response)
        status, headers, body = self._carry_out(call, entry, environ)
        entry.update(status=int(status.split()[0]), code=wire.error_code(body) if status >= "4" else None)
        if call.service == "ec2":
            self._note(call, body)
        if rule and rule["kind"] == "slow":
            time.sleep(faults.seconds(rule))
        if rule and rule["kind"] == "lose":
            return self._in_its_place(rule, call, entry, environ, start_response)
        start_response(status, headers)
        return [body]

    @staticmethod
    def _note(call, body):
        from . import late

        late.note(call.action, body)

    def _in_its_place(self, rule, call, entry, environ, start_response):
        if rule.get("reset"):
            entry.setdefault("status", None)
            _break(environ)
        status, code, words = faults.answer(rule, call.service)
        if rule["kind"] != "lose":
            entry.update(status=status, code=code)
        body = wire.error_body(call.service, code, words).encode()
        return _reply(start_response, status, body, "text/xml")

    def _carry_out(self, call, entry, environ):
        if call.service == "s3":
            # moto takes many of these at once, and nothing of what lies in buckets changes by itself.
            from . import buckets  # noqa: F401

            return self._ask_moto(call, entry, environ)
        with self._lock:
            from . import everything

            everything.apply()
            return self._ask_moto(call, entry, environ)

    def _ask_moto(self, call, entry, environ):
        started = []
        try:
            if call.service != "s3":
                clock.settle()
            body = b"".join(self._moto(environ, lambda status, headers, *_: started.append((status, headers))))
        except Exception as problem:
            if "honest-gaps" in patches.WITHOUT:
                raise
            entry["crash"] = traceback.format_exc()[-_LONGEST_CRASH:]
            code = "NotImplemented" if isinstance(problem, NotImplementedError) else "EmulatorFailed"
            told = str(problem)[:_LONGEST_REASON]
            words = f"the emulator cannot do {call.service}:{call.action}: {type(problem).__name__}: {told}"
            told = wire.error_body(call.service, code, words).encode()
            return "501 Not Implemented", [("Content-Type", "text/xml"), ("Content-Length", str(len(told)))], told
        status, headers = started[-1]
        return status, headers, body

    def _control(self, path, environ):
        method = environ["REQUEST_METHOD"]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        try:
            given = json.loads(environ["wsgi.input"].read(length) or b"{}")
            return 200, self._do(method, path, given, parse_qs(environ.get("QUERY_STRING", "")))
        except (ValueError, KeyError, TypeError) as problem:
            return 400, {"error": f"{method} {path}: {problem!r}"}

    def _do(self, method, path, given, query):
        match method, path:
            case "POST", "faults":
                for rule in given if isinstance(given, list) else [given]:
                    self._faults.add(rule)
            case "DELETE", "faults":
                self._faults.clear()
            case "GET", "calls":
                return self._journal.since(int(query.get("since", ["0"])[0]))
            case "DELETE", "calls":
                self._journal.clear()
            case "POST", "settings":
                _set(given)
            case "GET", "instances" | "names":
                return _shown(path)
            case "POST", "reset":
                self._reset()
            case "GET", "faults" | "settings":
                pass
            case _:
                raise ValueError("there is no such thing to ask for")
        return self._faults.shown() if path == "faults" else _settings()

    def _reset(self):
        from moto.moto_api._internal.models import moto_api_backend

        from . import everything

        everything.reset()
        moto_api_backend.reset()
        self._faults.clear()
        self._journal.clear()
        _set(self._start)


def _shown(what):
    from . import everything, machines, names

    everything.apply()
    clock.settle()
    return {"instances": machines, "names": names}[what].shown()


def _settings():
    from . import everything, late, machines, targets

    everything.apply()
    return {
        "delay": clock.delay,
        "late": late.seconds,
        "health": targets.health,
        "network": machines.network,
        "without": sorted(patches.WITHOUT),
        "patches": dict(sorted(patches.NAMES.items())),
    }


def _set(given):
    from . import late, machines, targets

    unknown = set(given) - {"delay", "late", "health", "network", "without", "advance"}
    if unknown or given.get("health", "healthy") not in ("healthy", "unhealthy", "listening"):
        raise ValueError(f"no settings: {given}")
    names = set(given.get("without", patches.WITHOUT))
    if names - set(_settings()["patches"]):
        raise ValueError(f"no patches: {sorted(names - set(patches.NAMES))}")
    clock.delay = float(given.get("delay", clock.delay))
    late.seconds = float(given.get("late", late.seconds))
    clock.move(float(given.get("advance", 0)))
    targets.health = given.get("health", targets.health)
    machines.choose(given.get("network", machines.network))
    patches.WITHOUT.clear()
    patches.WITHOUT.update(names)


def _reply(start_response, status, body, kind):
    fields = [("Content-Type", kind), ("Content-Length", str(len(body)))]
    start_response(f"{status} x", fields)
    return [body]


def _break(environ):
    """Ends the connection so that the other side sees it broken; the server lets it go by this error."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionResetError("this connection was to be broken")
