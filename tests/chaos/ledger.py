"""What was asked, what came of it, and the verdict: acknowledged, lost, duplicated, unexpected, recovered.

The words are Jepsen's. *Acknowledged*: the broker confirmed it, or the door answered 2xx. *Lost*: acknowledged, and
without its effect. *Duplicated*: an effect beyond the first. *Unexpected*: an effect that nobody asked for, or a wrong
one. *Recovered*: never acknowledged, and yet it has its effect, as it may.
"""

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from interlock_contracts.event import Envelope

Kind = Literal["prediction", "rollback", "retrain", "version", "upload", "feedback"]


@dataclass
class Asked:
    """One thing that was asked for; ``key`` is how its effects are recognised, None where only an answer tells it.

    ``why`` it was not acknowledged, in a few words.
    """

    kind: Kind
    model: str
    key: str | None
    acknowledged: bool = False
    why: str = "no answer"


@dataclass(frozen=True)
class Effect:
    """One effect, as an event told it; the same effect told again has the same ``event_id``.

    ``key`` is that of the request, or ``alias`` where the request's own id never was known to us.
    """

    kind: Kind
    model: str
    key: str
    event_id: str
    alias: str = ""


@dataclass
class Counts:
    """The verdict on one kind, or on all."""

    acknowledged: int = 0
    unacknowledged: int = 0
    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    recovered: int = 0

    @property
    def sound(self) -> bool:
        """Return whether every promise was kept."""
        return not (self.lost or self.duplicated or self.unexpected)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{name: value + getattr(other, name) for name, value in asdict(self).items()})


@dataclass
class Ledger:
    """Everything that one run asked and saw.

    ``promotions`` are, for each model, the promotion numbers before the run and after it: what the registry has
    really done, whatever it said. ``truths`` are, for each model, how many rows the prediction log has a truth for.
    """

    models: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    promotions: dict[str, tuple[int, int]] = field(default_factory=dict)
    recorded: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    truths: dict[str, int] = field(default_factory=dict)
    wrong: list[tuple[Kind, str]] = field(default_factory=list)
    messages: int = 0
    _seen: set[str] = field(default_factory=set)

    def ask(self, kind: Kind, model: str, key: str | None) -> Asked:
        """Write down that something is about to be asked."""
        self.asked.append(asked := Asked(kind, model, key))
        return asked

    @property
    def acknowledged(self) -> int:
        """Return how much was acknowledged so far."""
        return sum(each.acknowledged for each in self.asked)

    def refusals(self) -> dict[str, int]:
        """Return why requests were not acknowledged, and how often, the most frequent first."""
        return dict(Counter(f"{each.kind}: {each.why}" for each in self.asked if not each.acknowledged).most_common())

    @property
    def repeats(self) -> int:
        """Return how many messages were repeats of others, made by us or by whoever was killed in between."""
        return self.messages - len(self._seen)

    def record(self, envelope: Envelope, data: dict[str, Any]) -> None:
        """Note what an event tells; a repeat tells nothing."""
        self.messages += 1
        if envelope.id in self._seen:
            return
        self._seen.add(envelope.id)
        model = data.get("model") or data.get("pipeline")
        if model not in self.models:
            return
        if (effect := _effect(envelope, data, model)) is not None:
            self.effects.append(effect)
        if envelope.type == "model.promoted":
            self.recorded[model].add(data["promotion_seq"])
        if (fault := _fault(envelope, data)) is not None:
            self.wrong.append(fault)

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._seen

    def missing(self) -> list[Asked]:
        """Return what is acknowledged and has no effect yet."""
        done = {(effect.kind, key) for effect in self.effects for key in (effect.key, effect.alias)}
        waited = [each for each in self.asked if each.acknowledged and each.kind != "feedback"]
        return [each for each in waited if (each.kind, each.key) not in done]

    def verdict(self) -> dict[Kind, Counts]:
        """Return the counts of each kind that was asked."""
        kinds: list[Kind] = sorted({each.kind for each in self.asked} | {kind for kind, _ in self.wrong})
        counts = {kind: self._feedback() if kind == "feedback" else self._counted(kind) for kind in kinds}
        if "rollback" in counts:
            counts["rollback"].duplicated += self._silent_promotions(counts["rollback"].lost)
        for kind, _ in self.wrong:
            counts[kind].unexpected += 1
        return counts

    def total(self) -> Counts:
        """Return the counts of all kinds together."""
        return sum(self.verdict().values(), Counts())

    def _counted(self, kind: Kind) -> Counts:
        asked = [each for each in self.asked if each.kind == kind]
        acknowledged = {each.key for each in asked if each.acknowledged}
        open_ = Counter(each.model for each in asked if each.key is None)
        tried = {each.key for each in asked} - acknowledged
        ids: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for effect in self.effects:
            if effect.kind == kind:
                known = effect.key in acknowledged or effect.key in tried or not effect.alias
                ids[effect.model, effect.key if known else effect.alias].add(effect.event_id)
        seen = {key for _, key in ids}
        counts = Counts(
            acknowledged=sum(each.acknowledged for each in asked),
            unacknowledged=sum(not each.acknowledged for each in asked),
            lost=len(acknowledged - seen),
            duplicated=sum(len(each) - 1 for each in ids.values()),
            recovered=len(seen & tried),
        )
        for model, key in ids:
            if key not in acknowledged and key not in tried:
                # Asked over REST, done, and the answer lost on its way: only how many there may be is known.
                counts.recovered += open_[model] > 0
                counts.unexpected += open_[model] <= 0
                open_[model] -= 1
        return counts

    def _silent_promotions(self, lost: int) -> int:
        """Return how many promotions were made beyond those that somebody asked for: they have no event of their own.

        A request handled twice promotes twice, but says the same event; one that was lost on its way out is not that.
        """
        silent = sum(
            len(set(range(before + 1, after + 1)) - self.recorded[model])
            for model, (before, after) in self.promotions.items()
        )
        return max(0, silent - lost)

    def _feedback(self) -> Counts:
        asked = [each for each in self.asked if each.kind == "feedback"]
        counts = Counts(
            acknowledged=sum(each.acknowledged for each in asked),
            unacknowledged=sum(not each.acknowledged for each in asked),
        )
        known = sum(self.truths.values())
        counts.lost = max(0, counts.acknowledged - known)
        counts.duplicated = max(0, known - len(asked))
        counts.recovered = max(0, min(known, len(asked)) - counts.acknowledged)
        return counts


def _effect(envelope: Envelope, data: dict[str, Any], model: str) -> Effect | None:
    """Return the effect that an event tells of."""
    match envelope.type:
        case "prediction.completed" | "prediction.failed":
            return Effect("prediction", model, data["prediction_id"], envelope.id)
        case "training.failed":
            return Effect("retrain", model, str(envelope.causationid), envelope.id)
        case "dataset.ingested":
            return Effect("upload", model, data["dataset"]["digest"], envelope.id)
        case "model.promoted" if data["cause"] == "gate":
            return Effect("version", model, data["run_id"], envelope.id)
        case "model.promoted":
            alias = f"{model}/{data['promotion_seq']}"
            return Effect("rollback", model, str(envelope.causationid), envelope.id, alias)
    return None


def _fault(envelope: Envelope, data: dict[str, Any]) -> tuple[Kind, str] | None:
    """Return what is wrong about an answer; models of this harness tell their version by their predictions."""
    match envelope.type:
        case "prediction.failed":
            return "prediction", f"prediction {data['prediction_id']} failed: {data['reason']}"
        case "prediction.completed" if data.get("answer"):
            first = data["answer"]["predictions"][0]
            if int(first) // 1000 != data["version"]:
                return "prediction", f"prediction {data['prediction_id']}: {first} is not of version {data['version']}"
        case "dataset.rejected":
            return "upload", f"dataset {data.get('digest')} was rejected: {data['reasons']}"
        case "evaluation.failed":
            return "version", f"version {data['version']} of {data['model']} was refused: {data['reasons']}"
    return None
