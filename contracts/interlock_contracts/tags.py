"""Tags: short names with a value, which people set on models, versions and runs and filter lists by."""

from typing import Annotated

from pydantic import Field, StringConstraints

TagName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$")]
TagValue = Annotated[str, StringConstraints(pattern=r"^[^,\x00-\x1f\x7f]*$", max_length=200)]
"""Without commas and line ends, so that a list can be filtered by it."""

MAX_TAGS = 50

Tags = Annotated[dict[TagName, TagValue], Field(max_length=MAX_TAGS)]
"""Tags by their names; one that says all by its name has an empty value."""
