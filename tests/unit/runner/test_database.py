import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from unstoppable.runner import database

FIRST_ONES, ROUNDS = 8, 20


def test_several_that_are_the_first_at_once_wait_for_each_other(tmp_path):
    failures: list[sqlite3.Error] = []

    def use(path: Path, barrier: threading.Barrier) -> None:
        barrier.wait()
        try:
            with closing(database.connect(path)) as opened:
                opened.execute("BEGIN IMMEDIATE")
                opened.execute("CREATE TABLE IF NOT EXISTS used (x)")
                opened.execute("COMMIT")
        except sqlite3.Error as error:
            failures.append(error)

    for number in range(ROUNDS):
        barrier = threading.Barrier(FIRST_ONES)
        arguments = (tmp_path / str(number), barrier)
        threads = [threading.Thread(target=use, args=arguments) for _ in range(FIRST_ONES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []


def test_one_that_is_never_free_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    path = tmp_path / "taken"
    with closing(sqlite3.connect(path, isolation_level=None)) as taker:
        taker.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            database.connect(path)
