"""Descriptions, owners and tags of models and versions, changed by merge patches (RFC 7396)."""

from typing import Annotated

from pydantic import Field, StringConstraints

from interlock_contracts.http import Request
from interlock_contracts.tags import MAX_TAGS, TagName, TagValue

MAX_DESCRIPTION = 4000

Description = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=MAX_DESCRIPTION)]


class VersionPatch(Request):
    """Changes of a version's description and tags: what is left out stays, null removes; of ``tags`` each its own."""

    description: Description | None = None
    tags: dict[TagName, TagValue | None] | None = Field(default=None, max_length=MAX_TAGS)


class ModelPatch(VersionPatch):
    """Changes of a model's description, owner and tags: what is left out stays, null removes; of ``tags`` each its own.

    ``owner`` is free text: a person, a team, an address. An ``archived`` model serves nothing, takes no new training
    and is left out of lists, until it is brought back by false.
    """

    archived: bool | None = None

    owner: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=200)] | None = None
