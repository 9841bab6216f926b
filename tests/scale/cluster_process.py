"""A Ray cluster of three nodes on this machine, which ends with the process that started it.

Prints the address. Each line on stdin kills a node; the end of stdin ends the cluster.
"""

from __future__ import annotations

import os
import sys
import tempfile

from longt5.evaluation.process_guard import guarded_processes
from longt5.evaluation.ray_session import QUIET_VARIABLES

NODE = {"num_cpus": 2, "object_store_memory": 80 * 1024**2}


def main() -> None:
    """Hold the cluster until stdin ends."""
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    os.environ.update(QUIET_VARIABLES, RAY_TMPDIR=folder)
    os.mkdir(os.path.join(folder, "ray"))
    from ray.cluster_utils import Cluster

    with guarded_processes(folder):
        head = {**NODE, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        nodes = [cluster.add_node(**NODE) for _ in range(2)]
        print(cluster.address, flush=True)
        for _ in sys.stdin:
            cluster.remove_node(nodes.pop(), allow_graceful=False)
            print("killed", flush=True)
