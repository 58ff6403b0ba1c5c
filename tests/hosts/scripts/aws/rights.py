"""What roles and users may do."""

import fnmatch
import json

from moto.core.responses import ActionResult

from .patches import around, error


def _documents(backend, arn):
    name = arn.rsplit("/", 1)[-1]
    if ":role/" in arn:
        holder = backend.get_role(name)
    elif ":user/" in arn:
        holder = backend.get_user(name)
    else:
        raise error("InvalidInput", f"Invalid Entity Arn: {arn}")
    inline = holder.policies.values() if isinstance(holder.policies, dict) else holder.policies
    for policy in inline:
        yield policy if isinstance(policy, str) else policy["policy_document"]
    for policy in holder.managed_policies.values():
        yield next(one.document for one in policy.versions if one.is_default)


def _listed(value):
    return value if isinstance(value, list) else [value]


def _fits(statement, key, value):
    if f"Not{key}" in statement:
        return not _matches(_listed(statement[f"Not{key}"]), value)
    return _matches(_listed(statement.get(key, "*")), value)


def _matches(patterns, value):
    return any(fnmatch.fnmatchcase(value.lower(), pattern.lower()) for pattern in patterns)


def _decide(statements, action, resource):
    """A statement with a condition allows nothing here, and refuses: nobody is better off by a condition that is not met."""
    fitting = [one for one in statements if _fits(one, "Action", action) and _fits(one, "Resource", resource)]
    if any(one["Effect"] == "Deny" for one in fitting):
        return "explicitDeny"
    return "allowed" if any(one["Effect"] == "Allow" and not one.get("Condition") for one in fitting) else "implicitDeny"


@around("simulated-policies", "iam:SimulatePrincipalPolicy")
def simulate(request, _):
    """AWS says what a role or a user may do (IAM API reference, SimulatePrincipalPolicy); with moto it is a 500. Here conditions
    are never met, and there are no boundaries."""
    asked = request.params
    documents = [*_documents(request.backend, asked["PolicySourceArn"]), *(asked.get("PolicyInputList") or [])]
    statements = [one for text in documents for one in _listed(json.loads(text)["Statement"])]
    return ActionResult({
        "EvaluationResults": [
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": _decide(statements, action, resource),
                "MatchedStatements": [],
                "MissingContextValues": [],
            }
            for action in asked["ActionNames"]
            for resource in asked.get("ResourceArns") or ["*"]
        ],
        "IsTruncated": False,
    })
