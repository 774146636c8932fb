"""What a deployment consists of, and what it means that a part of it is away."""

from interlock_contracts.deployment import NAMES, OUTAGES


def test_what_an_outage_means_is_known_of_every_service() -> None:
    """Pages and commands say it in these words; a new service needs some, too."""
    assert set(OUTAGES) == set(NAMES)
