"""Two servers on one PostgreSQL, each killed in turn while readers claim: every rung once, no claim outlives its lease."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import sys
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import pytest
from argon2 import profiles
from faults.account import Promises
from faults.conftest import ROOT, RUNS
from sqlalchemy import select
from support import quick_server
from support.builders import a_clinic, a_hospital, a_nurse, a_specialist, a_task, an_agreement
from support.quick_server import QuickClock
from support.server import Server, until

from consult.practitioners.model import Role
from consult.queue.model import LEASED
from consult.queue.sla import LADDER, LEASE
from consult.queue.tables import task_table
from consult.requests.model import Lane
from telemed.kernel.audit import AuditTrail, Chronicle
from telemed.kernel.database import Database
from telemed.kernel.events import EventLog
from web.accounts.actions import add_account
from web.accounts.passwords import Passwords
from web.accounts.tokens import create_token

#: The servers' clock beside the machine's: a lease takes 4.5 s, and the five minutes of a critical ECG take 15.
SPEED = 20.0
READERS = 8
#: How often each of them claims, and a clinic asks, in real seconds: two cores keep that pace beside servers that start.
A_CLAIM_EVERY_S, A_TASK_EVERY_S = 0.5, 1.0
#: What a look of the watch may take on a busy machine, in real seconds.
LATE_S = 10.0


class Readers:
    """People who claim whatever waits, on either server, and never renew."""

    def __init__(self, tokens, servers, promises, chance):
        self._servers, self._promises = servers, promises
        self._stop = threading.Event()
        seeds = [chance.getrandbits(40) for _ in tokens]
        self._threads = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in zip(tokens, seeds, strict=True)]

    @contextmanager
    def at_work(self):
        for thread in self._threads:
            thread.start()
        yield
        self._stop.set()
        for thread in self._threads:
            thread.join(70)

    def _read(self, token, seed):
        for number in itertools.count(seed):
            if self._stop.wait(A_CLAIM_EVERY_S):
                return
            server = self._servers[number % len(self._servers)]
            with suppress(OSError, http.client.HTTPException):
                self._claim(server.http.removeprefix("http://"), {"Authorization": f"Bearer {token}"}, number)

    def _claim(self, address, headers, number):
        connection = http.client.HTTPConnection(address, timeout=20)
        try:
            connection.request("GET", "/api/v1/tasks?status=requested", headers=headers)
            waiting = json.loads(connection.getresponse().read())["items"]
            if waiting:
                task_id = waiting[number * 7919 % len(waiting)]["id"]
                connection.request("POST", f"/api/v1/tasks/{task_id}/claim", headers=headers)
                answer = connection.getresponse()
                assert answer.status in {200, 409}, answer.read()
                if answer.status == 200:
                    self._promises.acknowledged.add((task_id, json.loads(answer.read())["claimed_at"]))
        finally:
            connection.close()


@pytest.fixture
def servers(postgres, tmp_path):
    """Two, ready; and the clock they share."""
    clock = QuickClock(SPEED, time.time())
    url = postgres.url(postgres.new_database())
    os.environ["PYTHONPATH"] = str(ROOT)
    program = (sys.executable, str(Path(quick_server.__file__)))
    folders = [tmp_path / "one", tmp_path / "two"]
    both = [Server(folder, command=(*program, str(folder), url, str(SPEED), str(clock.epoch))) for folder in folders]
    with ThreadPoolExecutor(2) as starting:
        list(starting.map(Server.start, both))
    yield both, url, clock
    for server in both:
        server.kill()


def people(database, chronicle):
    """Return the nurse who asks, and a token of each reader."""
    clinic, hospital = a_clinic(database, chronicle), a_hospital(database, chronicle)
    an_agreement(database, chronicle, clinic, hospital)
    tokens, hashed = [], Passwords(profiles.CHEAPEST).hashed("never used here")
    for number in range(READERS):
        reader = a_specialist(database, chronicle, hospital, Role.CARDIOLOGIST)
        with database.transaction() as db:
            named = {"username": f"reader{number}", "password_hash": hashed}
            add_account(db, chronicle, **named, practitioner_id=reader.practitioner_id, by="test")
            tokens.append(create_token(db, chronicle, f"reader{number}", "test", by="test"))
    return a_nurse(database, chronicle, clinic), tokens


def test_one_of_two_servers_is_killed(servers, account, chance):
    both, url, clock = servers
    database = Database(url, pool_size=4)
    chronicle = Chronicle(clock, EventLog(database, clock), AuditTrail(clock))
    nurse, tokens = people(database, chronicle)
    promises = Promises()
    account.promises.append(promises)
    asking = threading.Event()

    def ask():
        while not asking.wait(A_TASK_EVERY_S):
            a_task(database, chronicle, nurse, modality="ECG", lane=Lane.ECG_CRITICAL)

    clinic = threading.Thread(target=ask, daemon=True)
    with Readers(tokens, both, promises, chance).at_work():
        clinic.start()
        for kill in range(max(RUNS // 5, 1)):
            time.sleep(chance.uniform(2, 4))
            victim = both[kill % 2]
            victim.kill()
            time.sleep(chance.uniform(0, 1))
            account.ran()
            if RUNS:
                victim.start()
        asking.set()
        clinic.join(20)
    until(lambda: is_at_rest(database), (300 + LEASE.total_seconds()) / SPEED + 2 * LATE_S)
    late = balance(database, promises, account, clock)
    print(f"{account.runs} kills, {account.acknowledged} claims acknowledged; real seconds late at most: {late}")
    database.close()


def is_at_rest(database):
    """Tell whether every task has climbed its ladder and nobody holds one."""
    moving = task_table.c.escalate_at.is_not(None) | task_table.c.lease_until.is_not(None)
    with database.reading() as db:
        return db.execute(select(task_table.c.id).where(moving)).first() is None


def balance(database, promises, account, clock):
    """Hold the log against what must have happened; return how late the latest rung and release were, in real seconds."""
    late: dict[str, float] = Counter()
    told = defaultdict(list)
    with database.reading() as db:
        tasks = db.execute(select(task_table)).all()
        for event in EventLog(database, clock).after(0, limit=1_000_000):
            told[event.subject].append(event)
        overdue = task_table.c.status.in_(LEASED) & (task_table.c.lease_until <= clock.now())
        assert db.execute(select(task_table.c.id).where(overdue)).first() is None, "a task is stuck"
    for task in tasks:
        rungs = Counter(event.data["rung"] for event in told[task.id] if event.type == "TaskEscalated")
        breaches = sum(event.type == "SlaBreached" for event in told[task.id])
        account.lost += sum(rungs[rung] < 1 for _, rung in LADDER) + (breaches < 1)
        account.doubled += sum(max(count - 1, 0) for count in rungs.values()) + max(breaches - 1, 0)
        for event in told[task.id]:
            if event.type == "TaskEscalated":
                due = datetime.fromisoformat(event.data["climbed_at"])
                late["rung"] = max(late["rung"], (event.at - due).total_seconds() / SPEED)
        account.lost += check_claims(task, told[task.id], promises, late)
    assert account.harm == 0, account.row()
    assert max(late.values()) < LATE_S
    return {what: round(seconds, 2) for what, seconds in late.items()}


def check_claims(task, events, promises, late):
    """Check that each claim ended with its lease, no acknowledged one before; return how many of those are not known."""
    acknowledged = sorted(datetime.fromisoformat(at) for task_id, at in promises.acknowledged if task_id == task.id)
    turns = [event for event in events if event.type in {"TaskClaimed", "TaskReleased"}]
    assert [event.type for event in turns] == ["TaskClaimed", "TaskReleased"] * (len(turns) // 2), turns
    for claimed, released in zip(turns[::2], turns[1::2], strict=True):
        assert released.data["cause"] == "lease"
        # The event is written a moment after the claim took its time; only an acknowledged one says what that was.
        for claimed_at in [at for at in acknowledged if at <= claimed.at][-1:]:
            assert released.at - claimed_at >= LEASE
        late["release"] = max(late["release"], (released.at - claimed.at - LEASE).total_seconds() / SPEED)
    return max(len(acknowledged) - len(turns) // 2, 0)
