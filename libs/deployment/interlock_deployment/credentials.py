"""What servers are told of those who use them: users, identities and keys, from the table of the deployment.

The local stack and a stack of containers make their secrets each in its own place, and agree in all of this.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from interlock_contracts import permissions
from interlock_contracts.access import hash_of
from interlock_contracts.deployment import JOBS, PEOPLE, RAY, S3, SERVICES, services_using

BROKER_ADMIN = "interlock"
"""Declares the topology; no service has its password."""
BROKER_USERS = (BROKER_ADMIN, *(user.name for user in permissions.users()))

STORE_ADMIN = "admin"
OPERATOR = "operator"
PREFIXES = {each.name: each.prefixes for each in SERVICES if S3 in each.uses} | {OPERATOR: PEOPLE}
"""What each identity of the object store but the administrator may read and write."""
BUCKET = "interlock"
REGION = "us-east-1"
JOB_ROLE = "arn:aws:iam::role/jobs"
"""The role whose permissions Ray jobs assume, to each job its own prefixes, for a limited time."""


def broker_definitions(passwords: Mapping[str, str]) -> dict[str, Any]:
    """Return what ``rabbitmqctl export_definitions`` prints for the vhost, the users and their permissions."""
    admin = permissions.User(BROKER_ADMIN, configure=".*", write=".*", read=".*", topics=())
    everyone = (admin, *permissions.users())
    return {
        "vhosts": [{"name": permissions.VHOST}],
        "users": [
            {
                "name": user.name,
                "password_hash": _password_hash(passwords[user.name]),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ["administrator"] if user is admin else [],
            }
            for user in everyone
        ],
        "permissions": [
            {
                "user": user.name,
                "vhost": permissions.VHOST,
                "configure": user.configure,
                "write": user.write,
                "read": user.read,
            }
            for user in everyone
        ],
        "topic_permissions": [
            {"user": user.name, "vhost": permissions.VHOST, **asdict(topics)}
            for user in everyone
            for topics in user.topics
        ],
    }


def _password_hash(password: str) -> str:
    """Return a password as RabbitMQ keeps it: four bytes of salt, then SHA-256 of salt and password, in base64.

    The salt follows from the password, so that the same passwords give the same file; they are random ones.
    """
    salt = hashlib.sha256(b"salt of " + password.encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def store_identities(keys: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Return SeaweedFS's file of identities; ``keys`` are each one's access key and secret key."""
    return {"identities": [_identity(name, *pair) for name, pair in keys.items()]}


def _identity(name: str, access_key: str, secret_key: str) -> dict[str, object]:
    """Return one identity; ``List`` includes the check that the bucket exists."""
    if name == STORE_ADMIN:
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
    else:
        reads = [f"Read:{BUCKET}/{prefix}/*" for prefix in PREFIXES[name].read]
        writes = [f"Write:{BUCKET}/{prefix}/*" for prefix in PREFIXES[name].write]
        actions = [*reads, *writes, *([] if name == OPERATOR else [f"List:{BUCKET}"])]
    return {
        "name": name,
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": actions,
    }


def store_roles(signing_key: str) -> dict[str, Any]:
    """Return SeaweedFS's role of jobs: its greatest permissions, and which identities may assume it."""
    reads, writes = ([f"arn:aws:s3:::{BUCKET}/{each}/*" for each in prefixes] for prefixes in (JOBS.read, JOBS.write))
    issuers = [f"arn:aws:iam::000000000000:user/{name}" for name in services_using(RAY)]
    return {
        "sts": {
            "issuer": "interlock",
            "signingKey": base64.b64encode(signing_key.encode()).decode(),
            "tokenDuration": "1h",
            "maxSessionLength": "192h",  # a training may take a week
        },
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "policies": [
            {
                "name": "jobs",
                "document": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": reads},
                        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:AbortMultipartUpload"], "Resource": writes},
                    ],
                },
            }
        ],
        "roles": [
            {
                "roleName": "jobs",
                "roleArn": JOB_ROLE,
                "attachedPolicies": ["jobs"],
                "trustPolicy": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Principal": {"AWS": issuers}, "Action": ["sts:AssumeRole"]}],
                },
            }
        ],
    }


def key_hashes(pepper: str, admin_key: str, service_keys: Mapping[str, str]) -> str:
    """Return INTERLOCK_KEY_HASHES: the keys that come with the deployment, as every service knows them."""
    known = {"admin": admin_key} | {f"service/{name}": key for name, key in service_keys.items()}
    return ",".join(f"{name}={hash_of(pepper, key)}" for name, key in known.items())


def signing_pair(seed: bytes) -> tuple[str, str]:
    """Return the private and the public key that sign and verify promotions (Ed25519), in PEM."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()
