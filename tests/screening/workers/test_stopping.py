"""A run that is stopped: its workers end first, and live writers keep what is theirs."""

from pathlib import Path

import pytest

from medsym.calibration.reference import REFERENCE_FILE, save_reference
from medsym.screening import batch
from medsym.screening.folder import open_folder, remove_leftovers
from medsym.screening.lock import case_lock
from medsym.screening.workers.pool import WorkerPool
from medsym.screening.workers.supervise import Fleet
from tests.builders_case import fake_model, flat_reference
from tests.screening.workers.light_work import light_task
from tests.screening.workers.test_pool import is_running, numbered, wait_until


def test_workers_are_gone_before_the_folder_is_tidied(tmp_path: Path, monkeypatch) -> None:
    entries = [entry for _, entry in numbered(tmp_path, "slow")]
    seen: list[int] = []
    alive: list[bool] = []
    pool = WorkerPool(1)

    def news() -> None:
        if (tmp_path / "slow.mark").exists():
            seen.extend(pool.process_ids)
            raise KeyboardInterrupt

    def concluding(*_: object, **__: object) -> None:
        alive.extend(is_running(pid) for pid in seen)

    monkeypatch.setattr(batch, "conclude", concluding)
    fleet = Fleet(executor=pool, work=light_task, at_once=2, news=news)
    folder = tmp_path / "model"
    folder.mkdir()
    save_reference(folder / REFERENCE_FILE, reference=flat_reference())
    with pytest.raises(KeyboardInterrupt):
        batch.screen(entries, tmp_path / "out", model=fake_model(folder), fleet=fleet)
    assert alive == [False]
    wait_until(lambda: not any(map(is_running, seen)))


def test_a_fleet_is_ended_in_its_own_way() -> None:
    ended: list[str] = []
    pool = WorkerPool(1)
    Fleet(executor=pool, work=light_task, at_once=1, stop=lambda: ended.append("own")).end()
    assert ended == ["own"]
    pool.submit(light_task, '{"scans": []}').result(timeout=60)
    Fleet(executor=pool, work=light_task, at_once=1).end()
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(light_task, "")


def passing(out: Path, *folders: str) -> list[Path]:
    paths = [out / folder / f".medsym-{number}.tmp" for number, folder in enumerate(folders)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    return paths


def test_tidying_keeps_what_live_writers_hold(tmp_path: Path) -> None:
    out = open_folder(tmp_path / "out")
    own, page, other = passing(out, "sub-01/ses-1/anat", "", "sub-02/anat")
    locks = out / "logs" / "locks"
    with case_lock(out, "sub-01_ses-1_T1w"):
        (locks / "sub-02_T1w.lock").write_text('{"pid": 1, "host": null}')  # nobody's
        remove_leftovers(out)
        assert [path.exists() for path in (own, page, other)] == [True, True, False]
        assert [path.name for path in locks.iterdir()] == ["sub-01_ses-1_T1w.lock"]
        with (
            pytest.raises(Exception, match="MS-561"),
            case_lock(out, "sub-01_ses-1_T1w", wait_s=0.0),
        ):
            pass
    remove_leftovers(out)
    assert not own.exists()
    assert not page.exists()
    assert list(locks.iterdir()) == []
