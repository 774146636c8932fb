"""The key pair that promotions are signed with: the registry alone gets the private key."""

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from interlock_cli.stack.home import Home
from interlock_cli.terminal import Failure

PRIVATE, PUBLIC = "INTERLOCK_SIGNING_KEY", "INTERLOCK_SIGNING_PUBLIC_KEY"
VERIFIERS = ("registry", "gateway", "prediction")


def signing(home: Home, given: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return by service what it signs or verifies promotions with: the user's keys, else a pair of this stack's own.

    Raises:
        Failure: the user gave one half of a pair.
    """
    keys = {name: given[name] for name in (PRIVATE, PUBLIC) if name in given} or _own(home)
    if missing := {PRIVATE, PUBLIC} - keys.keys():
        raise Failure(f"{', '.join(missing)} is not set, but its other half is")
    public = {PUBLIC: keys[PUBLIC]}
    return {name: keys if name == "registry" else public for name in VERIFIERS}


def _own(home: Home) -> dict[str, str]:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(home.secret("signing", 32)))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {PRIVATE: private.decode(), PUBLIC: public.decode()}
