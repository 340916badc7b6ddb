# SPDX-License-Identifier: GPL-2.0-only
"""The FUSE server of a run on a host, as threads of the workload that is simulated.

On a host each read is answered by a process that needs a CPU twice: to take the request and to
answer it. When the CPUs are full it waits for one like everybody else, and so do the faults. In
the model it is a process of its own with one thread for each place in the device's queue: a thread
takes a request (cost fuse_dev_read), sleeps for the latency, answers (cost fuse_dev_write).
"""

from __future__ import annotations

import copy
from typing import Any

from faultlock.workload.read import read_document
from faultlock.workload.schema import Workload

SERVER = "fuse_server"
# The real server has two threads and any number of reads; more sleeping threads change nothing.
MOST_THREADS = 128


def with_server(workload: Workload) -> Workload:
    """The workload with its files served by such a process, one for each file.

    Unchanged where a file has several instances, or threads that serve it already.
    """
    plain = all(file.count == 1 and not file.server for file in workload.files)
    if not workload.files or not plain or SERVER in workload.processes:
        return workload
    document: dict[str, Any] = copy.deepcopy(dict(workload.document))
    depth = min(workload.device.queue_depth, MOST_THREADS)
    servers = []
    for index, file in enumerate(document["files"]):
        name = SERVER if index == 0 else f"{SERVER}_{index + 1}"
        default = f"{round(workload.device.latency.mean_ns())}ns"  # where the file says nothing
        latency = file.get("latency", document.get("device", {}).get("latency", default))
        reply = {"op": "fuse_reply", "timed": False, "time": copy.deepcopy(latency)}
        receive = {"op": "fuse_receive", "timed": False}
        servers.append({"name": name, "process": SERVER, "count": depth, "loop": [receive, reply]})
        file["server"] = name
    document["threads"] = [*document["threads"], *servers]
    return read_document(document, workload.path, workload.name)
