"""The smoke test in a child process: whatever a model does there, only that child ends, and the reason is reported."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from interlock_artifacts import MemoryStore
from interlock_modeling import ModelDescription
from interlock_modeling.engines import LinearEngine
from interlock_serving.cache import Cache
from interlock_serving.loading import Loader
from interlock_serving.smoke_test import client
from interlock_serving.smoke_test.client import RefusedModelError, Validator

from tests.support.stored_models import REGRESSION, ROW, put, put_model, version_of
from tests.support.waiting import until


class Lab:
    """A validator in a folder of its own, and models to try."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MemoryStore()
        self.validator = Validator(folder, seconds=30)
        self._threads = ThreadPoolExecutor(2)

    def files(self) -> tuple[Path, Path]:
        """Return the two files of a sound model."""
        ref = put_model(self.store, 1)
        description, engine = self.folder / "description", self.folder / "engine"
        self.store.fetch_file(ref.artifact, description)
        self.store.fetch_file(ModelDescription.parse(description.read_bytes()).engine.ref, engine)
        return description, engine

    def endless(self) -> tuple[Path, Path]:
        """Return the files of a model whose load never ends."""
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        return pipe, self.files()[1]

    def begun(self, *files: Path) -> "Future[None]":
        """Try a model beside the test."""
        return self._threads.submit(self.validator.validate, *files)

    def server(self) -> int:
        """Return the process id of the validator."""
        assert self.validator._process is not None
        return self.validator._process.pid

    def children(self) -> list[int]:
        """Return the process ids of the smoke tests in progress."""
        found = Path(f"/proc/{self.server()}/task/{self.server()}/children")
        return [int(each) for each in found.read_text().split()] if found.exists() else []

    def close(self) -> None:
        self.validator.close()
        self._threads.shutdown()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    try:
        yield made
    finally:
        made.close()


async def test_a_sound_model_passes_the_smoke_test_and_a_damaged_one_is_refused_with_a_reason(lab: Lab) -> None:
    """The words are those of whatever refused it there."""
    description, engine = lab.files()
    lab.validator.validate(description, engine)
    engine.write_bytes(engine.read_bytes()[:-8])

    with pytest.raises(RefusedModelError, match=r"ModelFormatError: .*truncated"):
        lab.validator.validate(description, engine)


async def test_a_model_without_a_finite_answer_is_refused(lab: Lab) -> None:
    """It loads and fits, yet has no finite answer."""
    engine = LinearEngine(np.array([[1e308, 1e308, 1e308]]), np.array([1e308]), "identity")
    loader = Loader(Cache(lab.store, lab.folder), lab.validator.validate)

    with pytest.raises(RefusedModelError, match="no finite answer"):
        loader.load(put(lab.store, REGRESSION, engine, model="m"))


async def test_a_model_whose_load_does_not_end_is_given_up(lab: Lab) -> None:
    """By the system's own clock, so that code which never comes back to Python is no exception."""
    pipe, engine = lab.endless()
    validator = Validator(lab.folder, seconds=0.3)

    with pytest.raises(RefusedModelError, match=r"takes longer than 0\.3 s"):
        validator.validate(pipe, engine)
    validator.close()


async def test_a_model_that_takes_too_much_memory_is_refused(lab: Lab) -> None:
    """Far more than a model of its size may need."""
    description, engine = lab.files()
    with description.open("ab") as file:
        file.truncate(8 * 1024**3)

    with pytest.raises(RefusedModelError, match="more memory"):
        lab.validator.validate(description, engine)


@pytest.mark.parametrize(
    ("how", "told"), [(signal.SIGSEGV, r"crashes its process \(SIGSEGV\)"), (signal.SIGKILL, "was killed")]
)
async def test_a_model_that_crashes_its_loader_is_refused_and_others_are_tried_on(
    lab: Lab, how: signal.Signals, told: str
) -> None:
    """A parser's crash is the end of one fork."""
    crashing = lab.begun(*lab.endless())
    (victim,) = await until(lambda: lab.validator._process and lab.children())
    server = lab.server()
    os.kill(victim, how)

    with pytest.raises(RefusedModelError, match=told):
        crashing.result(30)
    lab.validator.validate(*lab.files())
    assert lab.server() == server


async def test_a_killed_validator_is_started_again_and_the_model_tried_anew(lab: Lab) -> None:
    """It may be killed with the worker that had started it; whoever needs one next starts another."""
    lab.validator.validate(*lab.files())
    assert lab.validator._process is not None
    lab.validator._process.kill()
    lab.validator._process.wait()

    lab.validator.validate(*lab.files())
    other = Validator(lab.folder, seconds=30)
    other.validate(*lab.files())
    assert other._process is None, "there is one for all workers of a host"


async def test_workers_of_a_host_share_one_smoke_test(lab: Lab) -> None:
    """What one has verified and tested, the others only map; a result does not hold for changed bytes."""
    tried: list[Path] = []

    def validate(description: Path, engine: Path) -> None:
        tried.append(engine)
        lab.validator.validate(description, engine)

    ref = put_model(lab.store, 3)
    for _ in range(3):
        model = Loader(Cache(lab.store, lab.folder), validate).load(ref)
        assert version_of(model.predict_rows([ROW]).values[0]) == 3
    assert len(tried) == 1

    tried[0].chmod(0o600)
    tried[0].write_bytes(b"somebody else's")
    model = Loader(Cache(lab.store, lab.folder), validate).load(ref)
    assert version_of(model.predict_rows([ROW]).values[0]) == 3
    assert len(tried) == 2


def refusing(tried: list[Path]) -> Callable[[Path, Path], None]:
    def validate(_: Path, engine: Path) -> None:
        tried.append(engine)
        raise RefusedModelError("it crashes")

    return validate


async def test_workers_of_a_host_share_a_refusal_for_a_moment(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A smoke test that hangs for two minutes is not repeated by every worker; but a refusal is not for ever."""
    tried: list[Path] = []
    ref, cache = put_model(lab.store, 3), Cache(lab.store, lab.folder)
    for _ in range(2):
        with pytest.raises(RefusedModelError, match="it crashes"):
            Loader(cache, refusing(tried)).load(ref)
    assert len(tried) == 1

    monkeypatch.setattr("interlock_serving.loading.REFUSED_SECONDS", 0.0)
    with pytest.raises(RefusedModelError):
        Loader(cache, refusing(tried)).load(ref)
    assert len(tried) == 2


async def test_a_result_that_is_not_whole_is_none(lab: Lab) -> None:
    """Whatever ended while it wrote, the model is tried again."""
    tried: list[Path] = []
    ref, cache = put_model(lab.store, 3), Cache(lab.store, lab.folder)

    def validate(_: Path, engine: Path) -> None:
        tried.append(engine)

    Loader(cache, validate).load(ref)
    (verdict,) = lab.folder.glob("*.verdict")
    verdict.write_bytes(verdict.read_bytes()[:-5])
    Loader(cache, validate).load(ref)
    assert len(tried) == 2


async def test_a_folder_with_a_long_path_has_a_validator_too(tmp_path: Path) -> None:
    """A socket's address is short; a cache folder's path need not be."""
    folder = tmp_path / ("long" * 20) / ("long" * 20)
    folder.mkdir(parents=True)
    assert len(str(folder)) > client._LONGEST_ADDRESS
    long = Lab(folder)
    long.validator.validate(*long.files())
    long.close()


async def test_a_refused_model_was_never_parsed_by_who_serves(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the smoke test only the description's JSON is read; engines are opened once it has passed."""
    opened: list[object] = []
    monkeypatch.setattr("interlock_serving.loading.Model.load", lambda *parts: opened.append(parts))
    loader = Loader(Cache(lab.store, lab.folder), refusing([]))
    ref = put_model(lab.store, 3)

    assert loader.size(ref) > 0
    with pytest.raises(RefusedModelError, match="it crashes"):
        loader.load(ref)
    assert not opened
