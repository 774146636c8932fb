"""Starts the checking process and waits for its result."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

from interlock_contracts.datasets import Finding
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import DatasetRole
from interlock_modeling.split import HashForm

from interlock_ingest.validation.result import ValidationResult

_CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
_SHOWN = 2000


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
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "interlock_ingest.validation", str(file), str(spec), str(folder), role, str(form)),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout_s):
            assert process.stderr is not None
            errors = (await process.stderr.read())[-_SHOWN:].decode(errors="replace")
            status = await process.wait()
    except TimeoutError:
        return _rejected("time", f"checking the file takes longer than {timeout_s:g} s; cut it into batches")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()  # unlike wait, reads what is left, so that the pipe is closed
    if status == 0:
        return ValidationResult.model_validate_json((folder / "result.json").read_bytes())
    if -status in _CRASHES:
        return _rejected("damaged", f"the file makes its parser crash (signal {-status}); it is damaged or hostile")
    raise CheckFailedError(f"the checking process ended with status {status}: {errors}")


def _rejected(rule: str, why: str) -> ValidationResult:
    return ValidationResult(reasons=[Finding(rule=rule, message=why)])
