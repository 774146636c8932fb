"""The kinds of models that a pipeline may name as candidates; a new one is a file here and a line below."""

from interlock_contracts.candidates import Candidate

from interlock_trainer.kinds.adaboost import ADABOOST
from interlock_trainer.kinds.classic_gradient_boosting import CLASSIC_GRADIENT_BOOSTING
from interlock_trainer.kinds.forests import DECISION_TREE, EXTRA_TREES, RANDOM_FOREST
from interlock_trainer.kinds.gradient_boosting import GRADIENT_BOOSTING
from interlock_trainer.kinds.kind import Kind
from interlock_trainer.kinds.lightgbm import LIGHTGBM
from interlock_trainer.kinds.linear import ELASTIC_NET, LASSO, LINEAR
from interlock_trainer.kinds.neural_network import NEURAL_NETWORK
from interlock_trainer.kinds.xgboost import XGBOOST

KINDS: dict[Candidate, Kind] = {
    "linear": LINEAR,
    "lasso": LASSO,
    "elastic_net": ELASTIC_NET,
    "decision_tree": DECISION_TREE,
    "random_forest": RANDOM_FOREST,
    "extra_trees": EXTRA_TREES,
    "adaboost": ADABOOST,
    "gradient_boosting": GRADIENT_BOOSTING,
    "classic_gradient_boosting": CLASSIC_GRADIENT_BOOSTING,
    "xgboost": XGBOOST,
    "lightgbm": LIGHTGBM,
    "neural_network": NEURAL_NETWORK,
}
