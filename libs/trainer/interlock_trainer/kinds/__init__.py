"""The kinds of models that a pipeline may name as candidates; a new one is a file here and a line below."""

from interlock_contracts.pipeline import Candidate

from interlock_trainer.kinds.gradient_boosting import GRADIENT_BOOSTING
from interlock_trainer.kinds.kind import Kind
from interlock_trainer.kinds.linear import LINEAR
from interlock_trainer.kinds.neural_network import NEURAL_NETWORK
from interlock_trainer.kinds.random_forest import RANDOM_FOREST
from interlock_trainer.kinds.xgboost import XGBOOST

KINDS: dict[Candidate, Kind] = {
    "linear": LINEAR,
    "random_forest": RANDOM_FOREST,
    "gradient_boosting": GRADIENT_BOOSTING,
    "xgboost": XGBOOST,
    "neural_network": NEURAL_NETWORK,
}
