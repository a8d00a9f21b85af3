"""The chains of signed records in the journal: where each begins, and what is added to it.

Everything here is part of a transaction that is open, and belongs to it alone.
"""

import secrets
import sqlite3
from dataclasses import dataclass

from unstoppable.domain.emitter import EmitterKey
from unstoppable.domain.record_form import Start
from unstoppable.domain.signed_record import Place, sign

STEP = (
    """
    CREATE TABLE chains (
        number     INTEGER PRIMARY KEY AUTOINCREMENT,
        chain      TEXT NOT NULL UNIQUE,
        customer   TEXT NOT NULL,
        start      TEXT NOT NULL,
        public_key BLOB  -- of its emitter; NULL until its first record is signed
    ) STRICT
    """,
    "CREATE INDEX chains_by_customer ON chains (customer)",
    """
    CREATE TABLE envelopes (
        number   INTEGER PRIMARY KEY AUTOINCREMENT,
        run      TEXT NOT NULL UNIQUE,
        chain    TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        digest   TEXT NOT NULL,  -- which the next record of the chain names
        envelope BLOB NOT NULL,
        UNIQUE (chain, sequence)
    ) STRICT
    """,
    """
    CREATE TABLE unsigned (
        number  INTEGER PRIMARY KEY AUTOINCREMENT,
        run     TEXT NOT NULL UNIQUE,
        is_owed INTEGER NOT NULL  -- 0 for runs that ended before records were signed
    ) STRICT
    """,
    "INSERT INTO unsigned (run, is_owed) SELECT run, 0 FROM runs WHERE outcome IS NOT NULL",
)
"""What makes these tables in a journal that had none."""


class AnotherKey(Exception):
    """The key is not the one that signed the chain."""


def begin(connection: sqlite3.Connection, customer: str, *, has_key: bool) -> Start | None:
    """Begin a chain for a customer who has none, or whose key is gone; returns why, if it did.

    To be committed before a key is made: else a run that was cut off between the two would make
    the next one say that a journal was lost.
    """
    chain = _last_chain(connection, customer)
    if chain is None:
        start = Start.JOURNAL_LOST if has_key else Start.FIRST
    elif chain.public_key is not None and not has_key:
        start = Start.KEY_LOST
    else:
        return None
    connection.execute(
        "INSERT INTO chains (chain, customer, start) VALUES (?, ?, ?)",
        (secrets.token_hex(16), customer, start),
    )
    return start


def owe(connection: sqlite3.Connection, run: str) -> None:
    """Note that the record of a run that ended is to be signed."""
    connection.execute("INSERT INTO unsigned (run, is_owed) VALUES (?, 1)", (run,))


def sign_owed(connection: sqlite3.Connection, customer: str, key: EmitterKey) -> None:
    """Sign what is owed to a customer, in the order in which the runs ended.

    Raises AnotherKey, and has changed nothing then.
    """
    begin(connection, customer, has_key=True)  # Where the journal was put aside just now.
    chain = _last_chain(connection, customer)
    if chain is None or chain.public_key not in {None, key.emitter.public_key}:
        raise AnotherKey
    query = """
        SELECT run, record FROM unsigned JOIN runs USING (run)
        WHERE is_owed AND customer = ? ORDER BY number
        """
    for run, record in connection.execute(query, (customer,)).fetchall():
        place = _next_place(connection, chain)
        envelope, digest = sign(record, place, key)
        connection.execute(
            "INSERT INTO envelopes (run, chain, sequence, digest, envelope) VALUES (?, ?, ?, ?, ?)",
            (run, chain.name, place.sequence, digest, envelope),
        )
        connection.execute("DELETE FROM unsigned WHERE run = ?", (run,))
    signer = "UPDATE chains SET public_key = ? WHERE chain = ?"
    connection.execute(signer, (key.emitter.public_key, chain.name))


@dataclass(frozen=True, slots=True)
class Kept:
    """An envelope as the journal keeps it, with what the journal says itself."""

    number: int
    public_key: bytes
    run: str
    envelope: bytes
    record: str | None
    """What stands of that run; None if nothing does."""


def page(connection: sqlite3.Connection, customer: str, after: int, limit: int) -> list[Kept]:
    """Return envelopes of a customer whose number is higher than `after`, oldest first."""
    query = """
        SELECT envelopes.number, public_key, envelopes.run, envelope, record
        FROM envelopes JOIN chains USING (chain) LEFT JOIN runs ON runs.run = envelopes.run
        WHERE chains.customer = ? AND envelopes.number > ? ORDER BY envelopes.number LIMIT ?
        """
    return [Kept(*row) for row in connection.execute(query, (customer, after, limit))]


def before_last(connection: sqlite3.Connection, customer: str, last: int) -> int:
    """Return the number after which the last envelopes of a customer come."""
    query = """
        SELECT envelopes.number FROM envelopes JOIN chains USING (chain)
        WHERE customer = ? ORDER BY envelopes.number DESC LIMIT 1 OFFSET ?
        """
    (found,) = connection.execute(query, (customer, last)).fetchone() or (0,)
    return int(found)


def number_of(connection: sqlite3.Connection, customer: str, run: str | None) -> int:
    """Return the number of a run's envelope; 0 where the customer has none of it."""
    query = """
        SELECT envelopes.number FROM envelopes JOIN chains USING (chain)
        WHERE run = ? AND customer = ?
        """
    (found,) = connection.execute(query, (run, customer)).fetchone() or (0,)
    return int(found)


def count_after(connection: sqlite3.Connection, customer: str, number: int) -> int:
    """Return how many envelopes of a customer have a higher number."""
    query = """
        SELECT count(*) FROM envelopes JOIN chains USING (chain)
        WHERE customer = ? AND envelopes.number > ?
        """
    return int(connection.execute(query, (customer, number)).fetchone()[0])


def owed(connection: sqlite3.Connection, customer: str) -> list[str]:
    """Return the records of a customer that are still to be signed, oldest first."""
    query = """
        SELECT record FROM unsigned JOIN runs USING (run)
        WHERE is_owed AND customer = ? ORDER BY number
        """
    return [record for (record,) in connection.execute(query, (customer,))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the journal says of a customer's records as a whole."""

    signer: bytes | None
    """The public key of the last chain; None where it has no record yet."""
    signed: int
    owed: int
    forgotten: str | None
    """A run that ended and is neither signed nor known to be unsigned; None, or it was changed."""


NO_BOOKS = Books(signer=None, signed=0, owed=0, forgotten=None)


def books(connection: sqlite3.Connection, customer: str) -> Books:
    """Return what the journal says of a customer's records."""
    chain = _last_chain(connection, customer)
    signed, owed = (
        connection.execute(query, (customer,)).fetchone()[0]
        for query in (
            "SELECT count(*) FROM envelopes JOIN chains USING (chain) WHERE customer = ?",
            "SELECT count(*) FROM unsigned JOIN runs USING (run) WHERE is_owed AND customer = ?",
        )
    )
    query = """
        SELECT run FROM runs WHERE customer = ? AND outcome IS NOT NULL
        AND run NOT IN (SELECT run FROM envelopes) AND run NOT IN (SELECT run FROM unsigned)
        LIMIT 1
        """
    (forgotten,) = connection.execute(query, (customer,)).fetchone() or (None,)
    signer = chain.public_key if chain else None
    return Books(signer=signer, signed=signed, owed=owed, forgotten=forgotten)


@dataclass(frozen=True, slots=True)
class _Chain:
    name: str
    start: str
    public_key: bytes | None


def _last_chain(connection: sqlite3.Connection, customer: str) -> _Chain | None:
    query = """
        SELECT chain, start, public_key FROM chains WHERE customer = ? ORDER BY number DESC LIMIT 1
        """
    found = connection.execute(query, (customer,)).fetchone()
    return found and _Chain(*found)


def _next_place(connection: sqlite3.Connection, chain: _Chain) -> Place:
    query = "SELECT sequence, digest FROM envelopes WHERE chain = ? ORDER BY sequence DESC LIMIT 1"
    found = connection.execute(query, (chain.name,)).fetchone()
    if found is None:
        return Place(chain=chain.name, sequence=1, previous=None, start=Start(chain.start))
    last, digest = found
    return Place(chain=chain.name, sequence=last + 1, previous=digest, start=None)
