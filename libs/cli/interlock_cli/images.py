"""`interlock images`: the container images of a checkout, built and pushed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from interlock_cli.terminal import CommandError, Json, command_terminal

images = typer.Typer(help="Build and push the container images of a checkout.", no_args_is_help=True)

Which = Annotated[list[str] | None, typer.Argument(help="light, model or trainer. Default: all.", metavar="[IMAGE]...")]
Repository = Annotated[str, typer.Option(help="What the images' names begin with.")]
Tag = Annotated[str | None, typer.Option(help="Default: the version of Interlock.")]
Checkout = Annotated[
    Path, typer.Option(help="The folder of the checkout, or of an unpacked release.", exists=True, file_okay=False)
]
EngineName = Annotated[
    str | None, typer.Option("--engine", help="docker or podman. Default: INTERLOCK_CONTAINER_ENGINE, or what works.")
]


@contextmanager
def deployment_errors() -> Iterator[None]:
    """Turn errors of the deployment into those that a command reports; without its extra, say what to install."""
    try:
        from interlock_deployment.errors import DeploymentError  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if error.name != "interlock_deployment":  # an error within the extra is not to be hidden
            raise
        raise CommandError("this needs the deployment's packages: install interlock-cli[deploy]") from error
    try:
        yield
    except DeploymentError as error:
        raise CommandError(error.message, hint=error.hint) from error


@images.command()
def build(
    which: Which = None,
    *,
    base: Annotated[str | None, typer.Option(help="Image to build on. Default: python:3.11-slim-bookworm.")] = None,
    repository: Repository = "localhost/interlock",
    tag: Tag = None,
    checkout: Checkout = Path(),
    engine: EngineName = None,
    as_json: Json = False,
) -> None:
    """Build the images that are not here yet, or whose contents changed.

    Wheels are fetched by the hashes of requirements.lock and kept in .interlock/images; the build itself uses no
    network. A bill of materials (CycloneDX) is written beside them.

    Example: interlock images build light model --repository registry.example.com/interlock
    """
    with command_terminal(as_json=as_json) as terminal, deployment_errors():
        from interlock_deployment import images as deployment  # noqa: PLC0415 - an extra
        from interlock_deployment.engine import find_engine  # noqa: PLC0415
        from interlock_deployment.targets import select  # noqa: PLC0415

        plan = deployment.Build(
            checkout.resolve(), base or deployment.BASE, repository.rstrip("/"), tag or deployment.VERSION
        )
        found = find_engine(engine or os.environ.get("INTERLOCK_CONTAINER_ENGINE"))
        targets = select(plan.checkout, which or [])
        built = [deployment.build(found, plan, each, terminal.echo) for each in targets]
        bills = [deployment.bill_of_materials(found, plan, each, terminal.echo) for each in targets]
        columns = ("image", "size", "", "bill of materials")
        rows = [
            (image.name, f"{image.size / 1e6:,.0f} MB", "built" if image.built else "unchanged", bill)
            for image, bill in zip(built, bills, strict=True)
        ]
        terminal.table(columns, rows)
        terminal.result([asdict(image) | {"sbom": str(bill)} for image, bill in zip(built, bills, strict=True)])


@images.command()
def push(
    to: Annotated[str, typer.Argument(help="Registry and repository, for instance registry.example.com/interlock.")],
    which: Which = None,
    *,
    repository: Repository = "localhost/interlock",
    tag: Tag = None,
    plain_http: Annotated[bool, typer.Option("--plain-http", help="The registry has no TLS (Podman only).")] = False,
    engine: EngineName = None,
    as_json: Json = False,
) -> None:
    """Push images, and print under which digest the registry keeps each: that name never means another image.

    Sign in first, with `docker login` or `podman login`.

    Example: interlock images push registry.example.com/interlock
    """
    with command_terminal(as_json=as_json) as terminal, deployment_errors():
        from interlock_deployment import images as deployment  # noqa: PLC0415 - an extra
        from interlock_deployment.engine import find_engine  # noqa: PLC0415
        from interlock_deployment.targets import chosen  # noqa: PLC0415

        found = find_engine(engine or os.environ.get("INTERLOCK_CONTAINER_ENGINE"))
        names = [f"{repository.rstrip('/')}/{each}:{tag or deployment.VERSION}" for each in chosen(which or [])]
        pushed = {name: deployment.push(found, name, to.rstrip("/"), plain_http=plain_http) for name in names}
        terminal.table(("image", "pushed as"), list(pushed.items()))
        terminal.result(pushed)
