"""The Ray cluster for a job that runs on it: tasks spread a program's work over its CPUs.

Imports Ray, which takes half a second: a program imports this where it needs it.
"""

from typing import Any

import ray


def join(address: str, **options: Any) -> int:
    """Connect this process to the cluster, once, and return how many CPUs the cluster has, at least 1."""
    if not ray.is_initialized():
        ray.init(address=address, log_to_driver=False, **options)
    cluster: Any = ray
    return max(1, int(cluster.cluster_resources().get("CPU", 1)))
