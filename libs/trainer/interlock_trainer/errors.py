"""What ends a training that trying again would not help."""


class DataError(Exception):
    """The training failed because of its data or its pipeline; trying again would not help. The text says why."""
