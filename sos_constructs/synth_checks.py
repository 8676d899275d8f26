"""Checks of a whole app at synth: each asked once per synth, over one list of constructs, however many charts and constructs there are.

cdk8s validates the whole app once, and once more for every chart. A validation that asks for its constructs each time costs charts times constructs calls
to jsii, which with a hundred environments is minutes.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable, Iterable, Sequence
from types import FrameType
from typing import TypeVar

from sos_constructs.errors import InvalidApp

import cdk8s
import jsii
from constructs import IConstruct, IValidation

T = TypeVar("T")
Check = Callable[[Sequence[IConstruct]], Iterable[str]]
"""One sentence for each thing that is wrong with the app, given all its constructs."""


def at_synth(construct: IConstruct, key: Hashable, check: Check) -> None:
    """Have ``check`` asked at synth, for the app that ``construct`` belongs to; once for each ``key``."""
    root = construct.node.root
    known = _APPS.get(reference(root))
    if known is None:
        known = _APPS[reference(root)] = _Checks(root)
        root.node.add_validation(known)
        if isinstance(root, cdk8s.App):
            for method in ("synth", "synth_yaml"):
                setattr(root, method, _raising_in_python(getattr(root, method), known))
    known.checks.setdefault(key, check)


def before_checks(construct: IConstruct, key: Hashable, action: Callable[[], None]) -> None:
    """Have ``action`` done at synth before the checks, so that they see what it changes; once for each ``key``."""
    at_synth(construct, "actions", lambda _: ())
    _APPS[reference(construct.node.root)].actions.setdefault(key, action)


def reference(construct: IConstruct) -> str:
    """Jsii's own name of a construct. The Python object is another one each time where JavaScript made the construct."""
    return str(construct.__jsii_ref__.ref)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


@jsii.implements(IValidation)
class _Checks:
    def __init__(self, root: IConstruct) -> None:
        self._root = root
        self.checks: dict[Hashable, Check] = {}
        self.actions: dict[Hashable, Callable[[], None]] = {}
        self._synth: FrameType | None = None
        self._problems: list[str] = []
        self.failed: Exception | None = None

    def validate(self) -> list[str]:
        synth = _running_synth()
        if synth is None or synth is not self._synth:
            self._synth = synth
            self.failed = None
            try:
                for action in self.actions.values():
                    action()
                nodes = self._root.node.find_all()
                self._problems = [problem for check in self.checks.values() for problem in check(nodes)]
            except Exception as error:
                self.failed = error
                raise
            if self._problems:
                self.failed = InvalidApp("\n".join(self._problems))
        return self._problems

    def take_failure(self) -> Exception | None:
        """What went wrong in the last synth, once."""
        failure, self.failed = self.failed, None
        return failure


def _raising_in_python(synth: Callable[[], T], checks: _Checks) -> Callable[[], T]:
    """``app.synth`` that raises what was found in Python.

    jsii makes a RuntimeError of every error that passes through JavaScript, and prints JavaScript's stack before it. Set on the user's own app alone;
    ``cdk8s.Testing.synth`` is not reached: there the same sentences arrive in cdk8s's RuntimeError.
    """

    @functools.wraps(synth)
    def plain() -> T:
        checks.take_failure()  # one of an earlier synth
        try:
            return synth()
        except RuntimeError:
            failure = checks.take_failure()
            if failure is None:
                raise
        raise failure

    return plain


def _running_synth() -> FrameType | None:
    """The call into jsii that this is a callback of: no code of the app's runs until it returns. Keeping the frame keeps its identity from being used again."""
    frame = inspect.currentframe()
    found = None
    while frame:
        if str(frame.f_globals.get("__name__")).startswith("jsii."):
            found = frame
        frame = frame.f_back
    return found


_APPS: dict[str, _Checks] = {}
"""By :func:`reference` of the root. jsii itself keeps every object of a process for good."""
