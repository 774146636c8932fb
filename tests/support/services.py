"""Every service of the deployment by its name: what its packages are called follows from it."""

from importlib import import_module
from pathlib import Path

from interlock_runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def package(service: str) -> Path:
    """Return the folder of a service's package."""
    return ROOT / "services" / service / f"interlock_{service}"


def settings_class(service: str) -> type[Settings]:
    """Return the class of all of a service's settings."""
    module = import_module(f"interlock_{service}.settings")
    (found,) = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Settings) and each.__module__ == module.__name__
    ]
    return found


def variables(service: str) -> dict[str, bool]:
    """Return every variable that a service reads, and whether it must be set."""
    fields = settings_class(service).model_fields
    return {f"INTERLOCK_{name.upper()}": field.is_required() for name, field in fields.items()}
