"""The branch model: an experiment enters the first branch, and each further one takes what the one before has had."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from interlock_cli.experiments.record import BRANCH, Experiment, read_experiment
from interlock_cli.git_repository import HEADS, GitRepository
from interlock_cli.terminal import CommandError

ORDER = ("dev", "staging", "production")


@dataclass
class BranchOrder:
    """The rules for one repository; ``entered`` are the experiments that a checked push takes into the first branch.

    With ``remote`` the branches are that remote's. Every method raises CommandError for a push that breaks the order.
    """

    repository: GitRepository
    order: Sequence[str] = ORDER
    remote: str | None = None
    entered: list[Experiment] = field(default_factory=list)

    def check(self, ref: str, old: str, new: str) -> None:
        """Check a push: ``ref`` moves from ``old`` to ``new``, of which zeros mean that it is not there."""
        name = ref.removeprefix(HEADS)
        if not ref.startswith(HEADS):
            return
        if name.startswith(f"{BRANCH}/"):
            self._check_experiment(name, old, new)
        elif name in self.order:
            if is_absent(new):
                raise CommandError(f"{name} is never deleted: it is one of {', '.join(self.order)}")
            if not is_absent(old) and not self.repository.is_ancestor(old, new):
                hint = "take the change back in an experiment; what serves goes back by `interlock rollback`"
                raise CommandError(f"{name} never goes back: {new[:12]} is not behind {old[:12]}", hint=hint)
            place = self.order.index(name)
            if place:
                self._check_promotion(name, self.order[place - 1], new)
            elif not is_absent(old):
                self._check_entry(name, old, new)

    def _check_experiment(self, name: str, old: str, new: str) -> None:
        if is_absent(new):
            return
        if not is_absent(old):
            raise CommandError(f"{name} is there: an experiment is never changed", hint="train again and push that run")
        recorded = read_experiment(self.repository, new)
        if name != recorded.branch:
            raise CommandError(f"{name} has the run of {recorded.branch}", hint="interlock experiments push RUN")

    def _check_entry(self, name: str, old: str, new: str) -> None:
        """Check each commit that comes to the first branch: a merge, of an experiment that passed, and no more."""
        last = new
        for commit in self.repository.line(new, behind=old):
            last, *merged = self.repository.parents(commit)
            if len(merged) != 1:
                hint = f"git checkout {name} && git merge --no-ff origin/{BRANCH}/MODEL/RUN"
                raise CommandError(f"{name} takes merges of experiments only, and {commit[:12]} is none", hint=hint)
            found = read_experiment(self.repository, merged[0])
            if found.verdict != "passed":
                why = f": {'; '.join(found.reasons)}" if found.reasons else ""
                raise CommandError(f"{found.branch} has not passed the gate, it is {found.verdict}{why}")
            if self.repository.merged_tree(last, merged[0]) != self.repository.tree(commit):
                hint = f"merge {name} into your branch, train that, and merge its experiment"
                raise CommandError(f"merge {commit[:12]} has more in it than {found.branch} and {name}", hint=hint)
            self.entered.append(found)
        if last != old:
            hint = f"merge the experiment into {name}, not {name} into it"
            raise CommandError(f"{new[:12]} does not follow {old[:12]} by first parents", hint=hint)

    def _check_promotion(self, name: str, source: str, new: str) -> None:
        """Check that a commit was the head of the branch before this one."""
        if self.remote is not None:
            self.repository.fetch_branches(self.remote, f"{source}*")
        head = self.repository.branches(source, fetched=self.remote is not None).get(source)
        if head is None or new not in self.repository.line(head):
            has = f"{source} has never been at {new[:12]}" if head else f"there is no {source}"
            hint = f"the order is {BRANCH}, {', '.join(self.order)}: git push origin {source}:{name}"
            raise CommandError(f"{name} takes what {source} has, and {has}", hint=hint)


def is_absent(commit: str) -> bool:
    """Return whether git, or a CI system by an empty variable, means that there is no commit."""
    return set(commit) <= {"0"}
