"""Signing keys of promotions (Ed25519): the table of the deployment says who gets which half."""

from collections.abc import Mapping

from interlock_contracts.deployment import SERVICES
from interlock_deployment.credentials import signing_pair

from interlock_localstack.errors import StackError
from interlock_localstack.state_dir import StateDir

PRIVATE, PUBLIC = "INTERLOCK_SIGNING_KEY", "INTERLOCK_SIGNING_PUBLIC_KEY"


def signing_settings(state_dir: StateDir, given: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return by service the settings to sign or verify promotions: the user's keys, else a generated pair.

    Raises:
        StackError: the user gave one half of a pair.
    """
    keys = {name: given[name] for name in (PRIVATE, PUBLIC) if name in given} or _own(state_dir)
    if missing := {PRIVATE, PUBLIC} - keys.keys():
        raise StackError(f"{', '.join(missing)} is not set, but its other half is")
    return {each.name: {name: keys[name] for name in keys.keys() & {*each.settings}} for each in SERVICES}


def _own(state_dir: StateDir) -> dict[str, str]:
    private, public = signing_pair(bytes.fromhex(state_dir.secret("signing", 32)))
    return {PRIVATE: private, PUBLIC: public}
