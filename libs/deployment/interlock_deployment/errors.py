"""The one error of this package: expected, and explained to the user."""


class DeploymentError(Exception):
    """A step did not succeed: ``str()`` is the reason, ``hint`` the next step where one is known."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
