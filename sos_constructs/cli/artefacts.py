"""The commands of ``sosctl config`` whose result is a file: JSON Schema, Markdown, dotenv, typed settings. They write to standard output."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from sos_constructs.cli import settings as given
from sos_constructs.cli.settings import EnvironmentOption, LayersOption, SectionsOption, WaiveOption, refusals
from sos_constructs.cli.tables import Format, FormatOption, write, write_json, write_table
from sos_constructs.config import bindings as generated
from sos_constructs.config import docs as pages
from sos_constructs.config import schema as schemas
from sos_constructs.config.dotenv import dotenv
from sos_constructs.config.explain import kind

import typer


class Language(StrEnum):
    """A language that settings can be generated for."""

    PYTHON = "python"
    TYPESCRIPT = "typescript"


def schema(ctx: typer.Context, form: FormatOption = Format.JSON) -> None:
    """Write the JSON Schema of a layer file, by which editors complete keys and underline what would be refused.

    In a YAML file its first line says where it is: # yaml-language-server: $schema=layer.schema.json
    With --format table: what it demands of each key, as a table. Exit code 0: written. 2: an option cannot be used.
    """
    with refusals():
        catalogue = given.catalogue(ctx)
    if form is Format.JSON:
        write_json(schemas.schema(catalogue, [layer for layer in catalogue.environments.values() if layer.values]))
    else:
        write_table(("KEY", "DEFAULT", "ALLOWED"), ((key.name, key.read(key.default)[1], key.allowed) for key in catalogue.keys.values()))


def docs(
    ctx: typer.Context, env: EnvironmentOption = "production", layer: LayersOption = None, waive: WaiveOption = None, form: FormatOption = Format.TABLE
) -> None:
    """Write the page about all keys and rules: Markdown, or the rows about keys as JSON.

    Environment and layers matter only to rules that are waived, which are listed with what breaks them.
    Exit code 0: written. 2: an option cannot be used.
    """
    with refusals():
        catalogue = given.catalogue(ctx)
        settings = given.settings(catalogue, env, layer, waive)
    if form is Format.TABLE:
        waivers = {waiver.rule.id: waiver for setting in settings.values() for waiver in setting.waivers}
        write(pages.markdown(catalogue, prefix=given.prefix(ctx), waivers=list(waivers.values())))
    else:
        write_json(
            [
                {
                    "key": key.name,
                    "section": section.name,
                    "type": kind(key.type),
                    "unit": key.unit,
                    "allowed": key.allowed,
                    "default": key.read(key.default)[1],
                    "meaning": key.doc,
                    "reason": key.reason,
                }
                for section in catalogue.sections
                for key in section.keys
            ]
        )


def env(
    ctx: typer.Context,
    environment: EnvironmentOption = "development",
    layer: LayersOption = None,
    waive: WaiveOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Write a dotenv file of an environment, to run a service outside the cluster.

    Make it with: sosctl config env > .env
    Read it with: set -a; . ./.env – or node --env-file=.env, or any dotenv library. With --format json: the variables as an object.
    It holds no secrets; those come from sosctl secrets. Exit code 0: written. 2: an option cannot be used.
    """
    with refusals():
        catalogue = given.catalogue(ctx)
        settings = given.settings(catalogue, environment, layer, waive)
        if form is Format.JSON:
            write_json({key: setting.text for key, setting in settings.items()})
        else:
            over = "".join(f" --layer {each}" for each in layer or ())
            write(dotenv(catalogue, settings, head=f"sosctl config env --env {environment}{over}"))


def bindings(
    ctx: typer.Context,
    language: Annotated[Language, typer.Argument(help="Language of the service.")],
    section: SectionsOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Write typed settings for a service: a module without dependencies that reads its environment once.

    Name the sections that the service loads: sosctl config bindings typescript -s app -s logging > settings.ts
    With --format json: section, key and the names they get. Exit code 0: written. 2: an option cannot be used.
    """
    with refusals():
        wanted = given.sections(given.catalogue(ctx), section)
        if form is Format.TABLE:
            write(generated.render(language.value, wanted))
        else:
            write_json(generated.table(language.value, wanted))
