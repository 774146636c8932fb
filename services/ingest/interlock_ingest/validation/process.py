"""Has a file checked in a process of its own and waits for its result."""

import asyncio
import signal
from pathlib import Path

from interlock_contracts.datasets import Finding
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import DatasetRole
from interlock_modeling.split import HashForm

from interlock_ingest.validation.result import ValidationResult
from interlock_ingest.validation.server import CheckServer

_CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
_SHOWN = 2000

SERVER = CheckServer()
"""One for the whole process: what it holds is the same for every pipeline."""


class CheckFailedError(Exception):
    """The check did not come to a result, for a reason that is not the file's; it may be tried again."""


async def check(
    file: Path,
    pipeline: Pipeline,
    folder: Path,
    *,
    role: DatasetRole = "training",
    form: HashForm = 1,
    timeout_s: float,
) -> ValidationResult:
    """Return the validation result of the file; an accepted one's parts lie in ``folder``, which must be there, empty.

    A file that takes longer than ``timeout_s``, or on which a parser crashes, is rejected.

    Raises:
        CheckFailedError: the process was killed or failed otherwise, for instance because the disk is full.
    """
    spec = folder / "spec.json"
    spec.write_text(pipeline.model_dump_json())
    try:
        async with (
            SERVER.started([str(file), str(spec), str(folder), role, str(form)]) as process,
            asyncio.timeout(timeout_s),
        ):
            status, errors = await process.wait(_SHOWN)
    except TimeoutError:
        return _rejected("time", f"checking the file takes longer than {timeout_s:g} s; cut it into batches")
    if status is None:
        raise CheckFailedError("the process that starts the checks ended; the next check starts it anew")
    if status == 0:
        return ValidationResult.model_validate_json((folder / "result.json").read_bytes())
    if -status in _CRASHES:
        return _rejected("damaged", f"the file makes its parser crash (signal {-status}); it is damaged or hostile")
    raise CheckFailedError(f"the checking process ended with status {status}: {errors}")


def _rejected(rule: str, why: str) -> ValidationResult:
    return ValidationResult(reasons=[Finding(rule=rule, message=why)])
