"""Reference of all public names, made from their docstrings."""

from __future__ import annotations

import ast
import inspect
import itertools
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import sos_constructs
from sos_constructs import errors

from tools.site.docstrings import markdown, split, table

# Page, title, what it is about, by the package that a name comes from. Others come on the last page.
PAGES = {
    "postgres": ("ha-postgres-options", "HaPostgres: options", "The database, its options, and what services take from it."),
    "config": ("sos-config-options", "SosConfig: options", "The configuration, layers of values, and catalogues of keys."),
    "secrets": ("sos-secrets-options", "SosSecrets: options", "Secrets, where their values come from, and who may read them."),
    "foundation": ("sos-namespace-options", "SosNamespace: options", "The namespace, with its Pod Security level, priorities and network defaults."),
    "": ("other-names", "Other public names", "Functions and errors beside the four constructs."),
}
# Constructs first, then what they take, then the rest; inside that by name.
FIRST = ("HaPostgres", "SosConfig", "SosSecrets", "SosNamespace")


def pages() -> dict[str, str]:
    """Each page by its path in docs/."""
    names: dict[str, list[str]] = {package: [] for package in PAGES}
    for name in [*sos_constructs.__all__, "InvalidOption"]:
        home = _MODULES.get(name) or _home(name)
        names[home if home in names else ""].append(name)
    made = {}
    for package, (page, title, about) in PAGES.items():
        if names[package]:
            parts = [f"# {title}\n", f"<!-- Made from docstrings by tools/site/api.py. -->\n\n{about} All names are imported from `sos_constructs`.\n"]
            parts += [_entry(name) for name in sorted(names[package], key=lambda name: (name not in FIRST, not callable(_public(name)), name.lower()))]
            made[f"reference/{page}.md"] = "\n".join(parts)
    return made


_MODULES = {"InvalidOption": ""}


def _public(name: str) -> Any:
    return errors.InvalidOption if name == "InvalidOption" else getattr(sos_constructs, name)


def _home(name: str) -> str:
    value = _public(name)
    module = getattr(value, "__module__", None) or type(value).__module__
    if not module.startswith("sos_constructs."):  # a tuple or another plain constant: where it is imported from
        module = next((f"sos_constructs.{package}" for package in filter(None, PAGES) if hasattr(import_module(f"sos_constructs.{package}"), name)), "")
    return module.removeprefix("sos_constructs.").partition(".")[0]


def _entry(name: str) -> str:
    value = _public(name)
    if inspect.isclass(value):
        return _class(name, value)
    if callable(value):
        return _function(name, value, level=2)
    return f"## {name}\n\n{_constant(name, value)}\n"


def _class(name: str, value: type) -> str:
    text, options, outcome = split(value.__doc__)
    initial = vars(value).get("__init__", value)
    lines = [f"## {name}", "", text, "", *table(initial, options), *(f"{line}\n" for line in outcome)]
    lines += [line for member in _members(value) for line in [member]]
    return "\n".join(lines)


def _members(owner: type) -> Iterator[str]:
    fields = getattr(owner, "__attrs_attrs__", ())
    for name, member in vars(owner).items():
        documented = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if name.startswith("_") or any(name == field.name for field in fields) or not getattr(documented, "__doc__", None):
            continue
        if isinstance(member, property):
            text, _, _ = split(member.fget.__doc__ if member.fget else "")
            returned = inspect.signature(member.fget).return_annotation if member.fget else ""
            yield f"### {owner.__name__}.{name}\n\nProperty: `{returned}`. {text}\n"
        elif isinstance(member, classmethod | staticmethod):
            yield _function(f"{owner.__name__}.{name}", member.__func__, level=3)
        elif inspect.isfunction(member):
            yield _function(f"{owner.__name__}.{name}", member, level=3)


def _function(name: str, function: Callable[..., Any], *, level: int) -> str:
    text, options, outcome = split(function.__doc__)
    signature = inspect.signature(function)
    parameters = [each for each in signature.parameters.values() if each.name not in ("self", "cls")]
    arguments = [str(each).partition(":")[0].partition("=")[0] for each in parameters]
    keyword = next((number for number, each in enumerate(parameters) if each.kind is each.KEYWORD_ONLY), None)
    if keyword is not None and not any(argument.startswith("*") for argument in arguments):
        arguments.insert(keyword, "*")
    returned = str(signature.return_annotation).strip("'")
    call = f"{name}({', '.join(arguments)})" + ("" if returned in ("None", "<class 'inspect._empty'>") else f" -> {returned}")
    return "\n".join([f"{'#' * level} {name}", "", f"```python\n{call}\n```", "", text, "", *table(function, options), *(f"{line}\n" for line in outcome)])


def _constant(name: str, value: object) -> str:
    package = _home(name) or "postgres"
    doc = _documented(name, package)
    shown = ", ".join(repr(each) for each in value) if isinstance(value, tuple) else repr(value)
    code = f"\n\n```python\n{name} = {shown}\n```" if len(shown) < 1000 else ""
    return f"{markdown(doc)}{code}"


def _documented(name: str, package: str) -> str:
    """The docstring under the constant, or the comment ``#:`` above it, in the module of the package that assigns it."""
    for path in sorted(Path(sos_constructs.__file__).parent.glob(f"{package}/**/*.py")):
        source = path.read_text(encoding="utf-8")
        if f"\n{name}" not in source:
            continue
        body = ast.parse(source).body
        for node, after in zip(body, [*body[1:], None], strict=True):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
            if not any(isinstance(target, ast.Name) and target.id == name for target in targets):
                continue
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                return str(after.value.value)
            above = itertools.takewhile(lambda line: line.startswith("#: "), reversed(source.splitlines()[: node.lineno - 1]))
            return " ".join(line.removeprefix("#: ") for line in reversed(list(above)))
    return ""
