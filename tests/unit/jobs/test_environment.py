import pytest
from interlock_contracts.refs import ArtifactRef
from interlock_jobs.arguments import format_ref, parse_ref
from interlock_jobs.environment import cluster_address

REF = ArtifactRef(sha256="ab" * 32, bytes=10)


@pytest.mark.parametrize("text", [format_ref(REF), REF.model_dump_json()])
def test_a_program_reads_the_reference_that_its_launcher_writes(text: str) -> None:
    """Or the same as JSON, which a person may paste."""
    assert parse_ref(text) == REF


@pytest.mark.parametrize("text", ["", "ab" * 32, f"{'ab' * 32}:many", "../../etc/passwd:10"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    """ValueError is what argparse turns into a sentence."""
    with pytest.raises(ValueError, match=r"."):
        parse_ref(text)


@pytest.mark.parametrize(("given", "address"), [("10.0.0.7:6379", "10.0.0.7:6379"), ("", None), (None, None)])
def test_a_program_knows_whether_a_cluster_runs_it(
    given: str | None, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray names itself to its jobs; a child process of a service has no such variable."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if given is not None:
        monkeypatch.setenv("RAY_ADDRESS", given)
    assert cluster_address() == address
