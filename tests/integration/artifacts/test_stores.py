"""One contract for every object store: the fake in memory, and whatever S3 is configured."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from interlock_artifacts import ArtifactStore, CorruptArtifactError, MemoryStore, MissingArtifactError, S3Store, s3
from interlock_contracts.refs import ArtifactRef

from tests.support.waiting import until

pytestmark = pytest.mark.integration


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> ArtifactStore:
    if request.param == "memory":
        return MemoryStore()
    env: dict[str, str] = request.getfixturevalue("servers")
    return S3Store(
        env["INTERLOCK_S3_ENDPOINT"],
        env["INTERLOCK_S3_ACCESS_KEY"],
        env["INTERLOCK_S3_SECRET_KEY"],
        env["INTERLOCK_S3_BUCKET"],
        env.get("INTERLOCK_S3_REGION", "us-east-1"),
    )


@pytest.fixture
def data() -> bytes:
    return uuid4().bytes * 1000


def test_what_is_put_can_be_fetched(store: ArtifactStore, data: bytes) -> None:
    """Bytes come back as they were, under the digest of what they are."""
    ref = store.put(data)

    assert store.fetch(ref) == data
    assert store.put(data) == ref


def test_a_holdout_lies_below_a_prefix_of_its_own(store: ArtifactStore, data: bytes) -> None:
    """The trainer's rights can stop there."""
    ref = store.put(data, holdout=True)

    assert ref.key.startswith("holdout/sha256/")
    assert store.fetch(ref) == data
    with pytest.raises(MissingArtifactError):
        store.fetch(ref.model_copy(update={"holdout": False}))


def test_what_is_deleted_is_gone_and_may_be_deleted_again(store: ArtifactStore, data: bytes) -> None:
    """A sweep that was killed half-way begins anew."""
    ref, other = store.put(data), store.put(data[::-1])

    for _ in range(2):
        store.delete(ref.key)

    with pytest.raises(MissingArtifactError):
        store.fetch(ref)
    assert store.fetch(other) == data[::-1]
    assert store.put(data) == ref
    assert store.fetch(ref) == data


async def test_what_is_stored_again_is_young_again(
    store: ArtifactStore, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever deletes what nobody refers to sees that somebody is about to; just stored, it is not stored again."""
    ref = store.put(data)
    before = store.stored_at(ref.key)
    assert before is not None
    assert store.stored_at(ref.key + "0") is None

    monkeypatch.setattr(s3, "YOUNG", timedelta(0))
    await until(lambda: store.put(data) == ref and store.stored_at(ref.key) != before)

    store.delete(ref.key)
    assert store.stored_at(ref.key) is None


def test_a_file_of_many_megabytes_comes_back_whole(store: ArtifactStore, tmp_path: Path, data: bytes) -> None:
    """Large files go up in parts and down in a stream, with the same digest."""
    (tmp_path / "in").write_bytes(data * 1250)
    ref = store.put_file(tmp_path / "in")

    store.fetch_file(ref, tmp_path / "out")

    assert (tmp_path / "out").read_bytes() == (tmp_path / "in").read_bytes()
    assert ref.bytes == 20_000_000


def test_changed_bytes_are_never_returned(store: ArtifactStore, tmp_path: Path, data: bytes) -> None:
    """One changed byte, one missing byte or one too many is found before anyone parses it."""
    ref = store.put(data)
    for changed in (b"?" + data[1:], data[:-1], data + b"?"):
        store.put_latest(ref.key, changed)
        with pytest.raises(CorruptArtifactError):
            store.fetch(ref)
        with pytest.raises(CorruptArtifactError):
            store.fetch_file(ref, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_what_is_not_there_is_missing(store: ArtifactStore, tmp_path: Path) -> None:
    """An absent object is not an outage, and a named one is simply None."""
    with pytest.raises(MissingArtifactError):
        store.fetch(ArtifactRef(sha256="0" * 64, bytes=1))
    with pytest.raises(MissingArtifactError):
        store.download(f"incoming/{uuid4()}", tmp_path / "out")
    assert store.read(f"runs/{uuid4()}/1/manifest.json") is None


def test_a_manifest_is_written_once(store: ArtifactStore) -> None:
    """The second writer is told no, and the first one's bytes stay."""
    key = f"runs/{uuid4()}/1/manifest.json"

    assert store.put_once(key, b"first")
    assert not store.put_once(key, b"second")
    assert store.read(key) == b"first"


def test_progress_may_be_overwritten_and_a_giant_is_not_read(store: ArtifactStore) -> None:
    """Named objects are not verified, so their size at least is bounded."""
    key = f"runs/{uuid4()}/1/progress.json"
    store.put_latest(key, b"one")
    store.put_latest(key, b"two" * 100)

    assert store.read(key) == b"two" * 100
    with pytest.raises(CorruptArtifactError, match="larger than 10 bytes"):
        store.read(key, limit=10)


async def test_an_outage_is_a_connection_error() -> None:
    """The bus holds a message for a ConnectionError; anything else would use up its attempts."""
    nowhere = S3Store("http://127.0.0.1:1", "key", "secret", "bucket")
    with pytest.raises(ConnectionError):
        nowhere.put(b"x")
