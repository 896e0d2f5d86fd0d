"""A local Dask cluster of processes: a worker killed in the middle of a scan loses nothing."""

import os
import signal
from pathlib import Path

import pytest

from medsym.errors import ConfigError
from medsym.screening.workers.dask_cluster import dask_executor
from medsym.screening.workers.supervise import Fleet, reports_of
from tests.screening.workers.light_work import light_task
from tests.screening.workers.test_pool import numbered

distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Dask, about its killed worker
def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options, silence_logs=50) as cluster:
        killed = []

        def news() -> None:
            if (tmp_path / "slowonce.mark").exists() and not killed:
                killed.append(next(iter(cluster.workers.values())).pid)
                for worker in cluster.workers.values():
                    os.kill(worker.pid, signal.SIGKILL)

        with dask_executor(cluster.scheduler_address) as executor:
            fleet = Fleet(executor=executor, work=light_task, at_once=4, news=news)
            scans = numbered(tmp_path, "a", "b", "slowonce", "c")
            found = reports_of(scans, plan="", fleet=fleet, lost=lambda *_: None)
            reports = sorted(found, key=lambda report: report.number)
    assert killed
    assert [(r.file, r.stage) for r in reports] == [
        (f"{name}.nii", "done") for name in ("a", "b", "slowonce", "c")
    ]


def test_an_address_where_nobody_answers_is_refused(monkeypatch) -> None:
    monkeypatch.setattr("medsym.screening.workers.dask_cluster._SECONDS_TO_CONNECT", 0.5)
    with pytest.raises(ConfigError, match="MS-568"), dask_executor("tcp://127.0.0.1:1"):
        pass
