"""Where patches stand: around actions of the API, or instead of methods of moto's.

Every patch has a name, and does nothing while its name is in `WITHOUT`. Functions that belong together share a name."""

import functools

from moto.core.exceptions import ServiceException
from moto.core.utils import camelcase_to_underscores

#: The names of the patches that are switched off.
WITHOUT: set[str] = set()
#: Every name, with what AWS does and what moto does, in the words of the patch.
NAMES: dict[str, str] = {}
_AROUND: list[tuple[str, str, object]] = []


class Refused(ServiceException):
    """An error of whichever service is asked. moto looks for those of its own modules in the models of their services."""


def error(code, message):
    """What an action raises so that the caller gets this code and these words, in the shape of the service's errors."""
    return Refused(code, message)


def around(name, *actions):
    """The function stands around these actions, each "service:Action". It gets the request, as moto's object for an
    answer with `params`, and a function that goes on with it; what it returns is the answer."""

    def register(function):
        _describe(name, function)
        _AROUND.extend((name, action, function) for action in actions)
        return function

    return register


def instead(name, owner, attribute):
    """The function stands instead of `attribute` of a class or a module of moto's; it gets that, and then its arguments."""

    def register(function):
        _describe(name, function)
        original = getattr(owner, attribute)

        @functools.wraps(original)
        def chosen(*arguments, **named):
            if name in WITHOUT:
                return original(*arguments, **named)
            return function(original, *arguments, **named)

        setattr(owner, attribute, chosen)
        return function

    return register


def instead_of_property(name, owner, attribute):
    """The same for a property: the function gets what moto's would read, and the object."""

    def register(function):
        _describe(name, function)
        original = getattr(owner, attribute).fget
        setattr(owner, attribute, property(
            lambda self: original(self) if name in WITHOUT else function(original, self)
        ))
        return function

    return register


def _describe(name, function):
    words = " ".join((function.__doc__ or "").split())
    NAMES[name] = " ".join(filter(None, [NAMES.get(name), words]))


def apply(responses):
    """Puts the functions of [`around`] around the methods of moto's classes for answers, by the name of their service.
    The one that was registered last is the outermost."""
    for name, action, function in _AROUND:
        service, operation = action.split(":")
        _wrap(name, responses[service], camelcase_to_underscores(operation), operation, function)
    _AROUND.clear()


def _wrap(name, owner, method, operation, function):
    original = getattr(owner, method, None)

    def missing(_):
        raise NotImplementedError(f"moto has no {operation}")

    original = original or missing

    def chosen(self):
        if name in WITHOUT:
            return original(self)
        return function(self, lambda: original(self))

    setattr(owner, method, chosen)
