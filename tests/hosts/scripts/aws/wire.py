"""Requests and answers of AWS as they are on the wire: who asks what of which service, and how errors look."""

import dataclasses
import io
import re
import uuid
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from moto.core.request import Request
from moto.core.routing import get_service_router

from .permissions import needed

_CREDENTIAL = re.compile(r"Credential=([^/,]+)/\d{8}/([^/,]+)/([^/,]+)/aws4_request")
#: A longer value is of no interest to whoever counts calls, and may be user data.
_LONGEST_VALUE = 200
_LARGEST_FORM = 4 << 20


@dataclasses.dataclass
class Call:
    """What is asked: `service` as in IAM policies, `action` as in the API reference."""

    service: str
    action: str
    parameters: dict
    caller: str
    region: str
    permissions: list


def identify(environ):
    """Reads a request as far as that says what it asks. What goes into a bucket is not read, but
    for how it is made; other bodies are, and put back."""
    scope = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    caller, region, service = scope.groups() if scope else ("", "", "")
    form = _form(environ)
    if not service:
        service = "sts" if form.get("Action", "").startswith("AssumeRole") else "s3"
    if "Action" in form:
        action = form["Action"]
        parameters = {key: value for key, value in form.items() if key not in ("Action", "Version")}
    else:
        action, parameters = _rest(service, environ)
    short = {key: str(value)[:_LONGEST_VALUE] for key, value in parameters.items()}
    return Call(service, action, short, caller, region, needed(service, action, parameters))


def _form(environ):
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return {}
    return dict(parse_qsl(_body(environ), keep_blank_values=True))


def _rest(service, environ):
    path, query = environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")
    parameters = {"path": path, **dict(parse_qsl(query, keep_blank_values=True))}
    try:
        operation, names = get_service_router(service).match(Request(dict(environ, **{"wsgi.input": io.BytesIO()})))
    except Exception:
        return f"{environ.get('REQUEST_METHOD')}", parameters
    body = _body(environ) if service != "s3" or operation.name == "CreateBucket" else ""
    return operation.name, {**parameters, **(names or {}), **({"body": body} if body else {})}


def _body(environ):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if not 0 < length <= _LARGEST_FORM:
        return ""
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body.decode("utf-8", "replace")


def error_body(service, code, message):
    """An error as the service writes it."""
    told = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    number = uuid.uuid4()
    if service == "s3":
        return f"<Error>{told}<RequestId>{number}</RequestId></Error>"
    if service == "ec2":
        return f"<Response><Errors><Error>{told}</Error></Errors><RequestID>{number}</RequestID></Response>"
    kind = "<Type>Sender</Type>"
    return f"<ErrorResponse><Error>{kind}{told}</Error><RequestId>{number}</RequestId></ErrorResponse>"


def error_code(body):
    """The code of an error in an answer's body."""
    found = re.search(rb"<Code>([^<]+)</Code>", body[:4096])
    return found.group(1).decode() if found else None
