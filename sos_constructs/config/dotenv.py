"""Settings as a dotenv file, for running a service outside the cluster.

Shells and the many readers of dotenv files disagree about escapes and ``$``. What is written here means the same to all of them:
``set -a; . ./.env`` in a POSIX shell, Node's ``--env-file``, dotenv for Node, python-dotenv, systemd's ``EnvironmentFile``.
(Docker's ``--env-file`` knows no quotes and is none of them.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sos_constructs.config.layers import Setting
from sos_constructs.config.model import Catalogue
from sos_constructs.errors import InvalidOption

_BARE = re.compile(r"[A-Za-z0-9_./:,@%+-]*")


def dotenv(catalogue: Catalogue, settings: Mapping[str, Setting], *, head: str) -> str:
    """The file, one group of lines per section.

    :param head: a comment for its first line.
    :raises InvalidOption: for a value that readers would not agree on.
    """
    groups = (
        "".join([f"\n# {section.title}: {section.doc}\n", *(f"{key.name}={quoted(key.name, settings[key.name].text)}\n" for key in section.keys)])
        for section in catalogue.sections
    )
    return f"# {head}\n" + "".join(groups)


def quoted(key: str, text: str) -> str:
    """The value as it stands after ``KEY=``.

    :raises InvalidOption: for a value that readers would not agree on.
    """
    if _BARE.fullmatch(text):
        return text
    if not text.isprintable() or "\\" in text or "${" in text or "$(" in text:
        raise InvalidOption(key, text, "cannot be written so that all readers of dotenv files agree on it: it has line ends, backslashes or '${'")
    if "'" not in text:
        return f"'{text}'"
    if not set(text) & set('"$`'):
        return f'"{text}"'
    raise InvalidOption(key, text, "cannot be written so that all readers of dotenv files agree on it: it has both kinds of quotes, or ' with $ or `")
