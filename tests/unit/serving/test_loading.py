"""Loading: every byte verified, wherever it comes from, and the model asked before it may answer anyone."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from interlock_artifacts import CorruptArtifactError, MemoryStore, MissingArtifactError
from interlock_contracts.refs import ModelRef
from interlock_modeling import InvalidRowsError, ModelDescription, ModelFormatError
from interlock_modeling.engines import LinearEngine
from interlock_modeling.rows import read_rows
from interlock_modeling.signature import Feature, ModelSignature
from interlock_serving import cache
from interlock_serving.loading import Loader
from interlock_serving.smoke_test.check import sample_rows

from tests.support.stored_models import MANIFEST, REGRESSION, ROW, loader_in, put, put_model, version_of


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def loader(store: MemoryStore, tmp_path: Path) -> Loader:
    return loader_in(store, tmp_path / "models")


def stored(folder: Path) -> list[Path]:
    """Return what is in the folder but locks."""
    return [path for path in folder.iterdir() if not path.name.startswith(".turn-")]


def engine_key(store: MemoryStore, ref: ModelRef) -> str:
    return ModelDescription.parse(store.objects[ref.artifact.key]).engine.ref.key


def change_one_byte(store: MemoryStore, key: str) -> None:
    data = bytearray(store.objects[key])
    data[len(data) // 2] ^= 1
    store.objects[key] = bytes(data)


def test_a_stored_model_answers(store: MemoryStore, loader: Loader) -> None:
    """What the trainer stored is what answers."""
    (value,) = loader.load(put_model(store, 7)).predict_rows([ROW]).values

    assert version_of(value) == 7


@pytest.mark.parametrize("part", ["description", "engine"])
def test_one_changed_byte_is_refused(store: MemoryStore, loader: Loader, part: str) -> None:
    """The reference names the bytes; others are not even parsed."""
    ref = put_model(store, 1)
    change_one_byte(store, ref.artifact.key if part == "description" else engine_key(store, ref))

    with pytest.raises(CorruptArtifactError):
        loader.load(ref)


def test_a_damaged_copy_on_disk_is_fetched_again(store: MemoryStore, tmp_path: Path) -> None:
    """The folder is a cache: it is verified like the store, and never trusted over it."""
    ref = put_model(store, 1)
    loader_in(store, tmp_path).load(ref)
    for file in tmp_path.iterdir():
        file.unlink()
        file.write_bytes(b"something else")

    assert version_of(loader_in(store, tmp_path).load(ref).predict_rows([ROW]).values[0]) == 1


def test_what_was_loaded_before_needs_no_store(store: MemoryStore, loader: Loader) -> None:
    """A rollback works while S3 is down."""
    ref = put_model(store, 1)
    loader.load(ref)
    store.objects.clear()

    assert version_of(loader.load(ref).predict_rows([ROW]).values[0]) == 1


def test_what_is_nowhere_is_missing_and_leaves_nothing_behind(store: MemoryStore, tmp_path: Path) -> None:
    """A failed fetch leaves no half file for others to find."""
    with pytest.raises(MissingArtifactError):
        loader_in(store, tmp_path).load(ModelRef(model="m", version=1, artifact=MANIFEST, manifest=MANIFEST))
    assert not stored(tmp_path)


def test_an_engine_of_an_unknown_version_is_refused(store: MemoryStore, loader: Loader) -> None:
    """A gateway that is older than the trainer refuses it instead of guessing."""
    ref = put_model(store, 1)
    newer = store.objects[ref.artifact.key].replace(b'"kind":"linear","version":1', b'"kind":"linear","version":9')
    changed = ModelRef(model="m", version=1, artifact=store.put(newer), manifest=MANIFEST)

    with pytest.raises(ModelFormatError, match="unknown engine linear 9"):
        loader.load(changed)


def test_a_model_without_a_finite_answer_is_refused(store: MemoryStore, loader: Loader) -> None:
    """It loads and fits, yet has no finite answer: the warm-up notices."""
    engine = LinearEngine(np.array([[1e308, 1e308, 1e308]]), np.array([1e308]), "identity")

    with pytest.raises(InvalidRowsError, match="no finite answer"):
        loader.load(put(store, REGRESSION, engine, model="m"))


@pytest.mark.parametrize("values", [None, [""], ["", "red"]])
def test_a_sample_text_is_no_word_for_a_missing_cell(values: list[str] | None) -> None:
    """Of a CSV the empty text is one; a model that takes no missing cell would refuse it."""
    color = Feature(name="color", type="category", nullable=False, values=values)
    signature = ModelSignature(
        task="regression", target="y", target_type="number", features=[color], null_values=["", "a"]
    )

    cells, _ = read_rows(signature, sample_rows(signature))
    assert cells["color"] == (["red"] * 2 if values == ["", "red"] else ["aa"] * 2)


def test_sample_rows_fit_every_kind_of_column() -> None:
    """The warm-up asks what a client could ask."""
    features = [
        Feature(name="a", type="number", nullable=True, optional=False, max=-5),
        Feature(name="b", type="integer", nullable=False, min=2),
        Feature(name="c", type="boolean", nullable=False),
        Feature(name="d", type="category", nullable=True, values=["x", "y"]),
        Feature(name="e", type="datetime", nullable=False),
    ]
    signature = REGRESSION.model_copy(update={"features": features})
    full, sparse = sample_rows(signature)

    assert full == {"a": -5.0, "b": 2, "c": False, "d": "x", "e": "2020-01-01T00:00:00Z"}
    assert sparse == full | {"a": None, "d": None}
    assert not read_rows(signature, [full, sparse])[1]


def test_the_folder_stays_small(store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest files go; a model that is mapped answers on without its file."""
    monkeypatch.setattr(cache, "KEEP_BYTES", 0)
    model = loader_in(store, tmp_path).load(put_model(store, 1))

    assert not stored(tmp_path)
    assert version_of(model.predict_rows([ROW]).values[0]) == 1


def test_the_cache_folder_belongs_to_its_user_alone(store: MemoryStore, tmp_path: Path) -> None:
    """Others can't put a model in: the folder is made for this user alone."""
    loader_in(store, tmp_path / "models")

    assert (tmp_path / "models").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_cleaned_away_is_made_again_and_never_taken_from_others(
    store: MemoryStore, tmp_path: Path
) -> None:
    """Temporary folders are cleaned; what another user then makes under the name is not ours."""
    folder = tmp_path / "models"
    loader, ref = loader_in(store, folder), put_model(store, 1)
    loader.load(ref)
    shutil.rmtree(folder)
    assert version_of(loader.load(ref).predict_rows([ROW]).values[0]) == 1

    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="others may write"):
        loader.load(ref)


def test_a_deleted_model_leaves_nothing_on_the_host_but_what_others_share(store: MemoryStore, tmp_path: Path) -> None:
    """Whoever has mapped it answers on; one with the same engine is loaded without the store as before."""
    loader = loader_in(store, tmp_path)
    alone, shared = put_model(store, 1), put_model(store, 2)
    kept = put_model(store, 2, target="cost")
    mapped = {ref.artifact.sha256: loader.load(ref) for ref in (alone, shared, kept)}
    assert engine_key(store, shared) == engine_key(store, kept) != engine_key(store, alone)
    everything = {path.name for path in stored(tmp_path)}

    for ref in (alone, shared, alone):
        loader.forget(ref)

    gone = everything - {path.name for path in stored(tmp_path)}
    engine = engine_key(store, alone).rpartition("/")[2]
    assert {name for name in gone if not name.endswith(".verdict")} == {
        alone.artifact.sha256,
        shared.artifact.sha256,
        engine,
    }
    assert len(gone) == 5, "and the results of both smoke tests"
    assert version_of(mapped[alone.artifact.sha256].predict_rows([ROW]).values[0]) == 1
    store.objects.clear()
    assert version_of(loader.load(kept).predict_rows([ROW]).values[0]) == 2
    with pytest.raises(MissingArtifactError):
        loader.load(shared)
