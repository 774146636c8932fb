"""Level-triggered reconciliation: events make a promotion known fast, asking the registry makes it known for sure."""

from interlock_runtime.clients import RegistryClient
from interlock_serving.manager import ModelManager
from interlock_serving.promotion import Promotion
from interlock_serving.slot import ServedModel


class PromotionReconciler:
    """Notes in ``manager`` what the registry promotes; a version is loaded by the first request for it."""

    def __init__(self, registry: RegistryClient, manager: ModelManager[ServedModel]) -> None:
        self._registry = registry
        self._manager = manager

    async def reconcile(self) -> None:
        """Note every promotion of the registry, and forget those of archived models.

        Raises:
            ConnectionError: the registry does not answer.
        """
        for view in await self._registry.serving():
            if view.archived:
                self._manager.withdraw(view.ref.model)
                continue
            promotion = Promotion.of(view)
            await self._manager.note_promotion(promotion, cause=promotion.cause)

    async def ensure_known(self, model: str) -> None:
        """Reconcile where no promotion of ``model`` is known: its event may have come before this process did.

        Raises:
            ConnectionError: the registry does not answer, and is needed.
        """
        if self._manager.promotion(model) is None:
            await self.reconcile()
