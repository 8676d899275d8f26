"""What is wrong with a layer file, line by line, without building anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sos_constructs.config.explain import WIRED_KEYS, WIRED_NOTE
from sos_constructs.config.files import LayerFile, scan
from sos_constructs.config.layers import Layer, Setting, examine, resolve
from sos_constructs.config.model import Catalogue
from sos_constructs.errors import InvalidOption

from attrs import frozen


@frozen(eq=False, kw_only=True)
class Finding:
    """One thing to know about a layer file.

    :param path: the file as it was named.
    :param line: 0 if it is about the file as a whole.
    :param problem: ``error``: a synth would refuse it. ``note``: it would not.
    :param message: what it is, and what to write instead.
    """

    path: str
    line: int
    problem: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}{f':{self.line}' if self.line else ''}: {'' if self.problem == 'error' else 'note: '}{self.message}"


def inspect(catalogue: Catalogue, path: Path, below: Sequence[Layer] = ()) -> list[Finding]:
    """Everything that is wrong with one layer file over the layers below it, in the order of its lines; then what is merely odd.

    :param below: the layers that it will lie on: an environment, and others.
    """
    try:
        file = scan(path)
    except InvalidOption as error:
        line = re.search(r"at line (\d+)", error.fix)
        return [Finding(path=str(path), line=int(line[1]) if line else 0, problem="error", message=error.fix)]
    layer = Layer(str(path).replace(",", ";"), file.values, origins=file.origins(path))
    settings, problems = examine(catalogue, (*below, layer))
    errors = dict.fromkeys(file.errors.items()) | dict.fromkeys(
        (_line(file, problem.keys), problem.message) for problem in problems if _is_its(file, problem.keys)
    )
    broken = {key for problem in problems if problem.layer for key in problem.keys}
    notes = _notes(catalogue, {key: settings[key] for key in file.values if key in settings and key not in broken})
    return [
        *(Finding(path=str(path), line=line, problem="error", message=message) for line, message in sorted(errors)),
        *(Finding(path=str(path), line=file.lines.get(key, 0), problem="note", message=message) for key, message in notes),
    ]


def _is_its(file: LayerFile, keys: Iterable[str]) -> bool:
    """Whether a problem has to do with what the file sets: layers below it may have problems of their own."""
    return any(key in file.values for key in keys)


def _line(file: LayerFile, keys: Iterable[str]) -> int:
    return next((file.lines[key] for key in keys if key in file.lines), 0)


def _notes(catalogue: Catalogue, settings: dict[str, Setting]) -> Iterator[tuple[str, str]]:
    built_in = [resolve(catalogue, (layer,)) for layer in catalogue.environments.values()] or [resolve(catalogue, ())]
    for key, setting in settings.items():
        if setting.key.deprecated:
            yield key, f"{key} is deprecated {setting.key.deprecated}"
        if key in WIRED_KEYS:
            yield key, f"{key}: {WIRED_NOTE}"
        if all(environment[key].text == setting.text for environment in built_in):
            yield key, f"{key} is {setting.text or 'empty'} in every environment already; leave it out"
