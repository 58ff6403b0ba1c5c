"""Trouble on demand: what is refused, lost, throttled, slow.

A rule is an object of JSON:

    {"kind": "fail", "service": "ec2", "action": "RunInstances", "times": 2, "skip": 0, "code": "InternalError", "status": 500}

| kind | what becomes of the request |
|---|---|
| `fail` | it is answered with `code` and `status` and not carried out; with `"reset": true` the connection breaks instead |
| `lose` | it is carried out, and answered as with `fail` |
| `throttle` | a `share` of requests, drawn from `seed`, is refused as the service refuses who asks too often |
| `slow` | it is carried out, and its answer takes `seconds` longer |

`service` is a name as in IAM policies, `action` as in the API reference, each a pattern such as `Create*`; `containing` is a text
that one of the parameters has. What is not said is everything. A rule is for `times` requests, after the first `skip` ones; for
all if nothing is said. The first rule that fits is taken."""

import fnmatch
import random

KINDS = ("fail", "lose", "throttle", "slow")
_WHICH = {"kind", "service", "action", "containing", "times", "skip"}
_HOW = {"code", "status", "message", "reset", "share", "seed", "seconds"}
_LONGEST_WAIT = 120.0


class Faults:
    """The rules, in the order in which they came."""

    def __init__(self):
        self._rules = []

    def add(self, rule):
        """Takes a rule; what is no rule is a ValueError."""
        unknown = set(rule) - _WHICH - _HOW
        if unknown or rule.get("kind") not in KINDS:
            raise ValueError(f"no rule: {rule}; unknown fields: {sorted(unknown)}; kinds: {', '.join(KINDS)}")
        draw = random.Random(rule.get("seed", 0))
        self._rules.append(dict(rule, left=rule.get("times"), passed=0, draw=draw))

    def clear(self):
        """No more trouble."""
        self._rules.clear()

    def shown(self):
        """The rules as they came, each with how many times it is still for."""
        return [{key: value for key, value in rule.items() if key not in ("draw", "passed")} for rule in self._rules]

    def take(self, call):
        """What is done to this call: a rule, or nothing."""
        for rule in self._rules:
            if rule["left"] == 0 or not _fits(rule, call):
                continue
            rule["passed"] += 1
            if rule["passed"] <= rule.get("skip", 0):
                continue
            if rule["kind"] == "throttle" and rule["draw"].random() >= rule.get("share", 1.0):
                continue
            if rule["left"] is not None:
                rule["left"] -= 1
            return rule
        return None


def _fits(rule, call):
    return (
        fnmatch.fnmatchcase(call.service, rule.get("service", "*"))
        and fnmatch.fnmatchcase(call.action, rule.get("action", "*"))
        and any(rule.get("containing", "") in value for value in ["", *call.parameters.values()])
    )


def seconds(rule):
    """How long an answer is kept back."""
    return min(float(rule.get("seconds", 1.0)), _LONGEST_WAIT)


def answer(rule, service):
    """The status, code and words of an answer in the place of the real one."""
    if rule["kind"] == "throttle":
        status, code, words = _THROTTLED.get(service, (400, "Throttling", "Rate exceeded"))
    else:
        status, code, words = 500, "InternalError", "An internal error has occurred"
    return rule.get("status", status), rule.get("code", code), rule.get("message", words)


#: EC2 API reference, "Throttling"; S3 API reference, "Error responses". All others answer 400 Throttling.
_THROTTLED = {
    "ec2": (503, "RequestLimitExceeded", "Request limit exceeded."),
    "s3": (503, "SlowDown", "Please reduce your request rate."),
}
