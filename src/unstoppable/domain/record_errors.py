"""Errors about records and who signs them; as in `errors`."""

from unstoppable.domain.errors import JournalUnusable, UnstoppableError, UsageError


class JournalDamaged(JournalUnusable):
    """What lies at the journal's place is none, or is broken."""

    hint_form = (
        "the next backup that comes across it puts it aside and begins a new one; until then it "
        "stays as it is"
    )


class JournalSetAside(UnstoppableError):
    """A damaged journal was put under another name."""

    sentence_form = (
        "the journal {path} was damaged and now lies at {aside}; what it knew of past runs is lost"
    )
    hint_form = (
        "keep that file, and look after the disk; a new journal was begun, and its records say "
        "that one was lost before them"
    )


class JournalLost(UnstoppableError):
    """There is a key that signed records, and no journal that knows of them."""

    sentence_form = (
        "the journal {path} was lost: it knows nothing of what {customer}'s key signed; "
        "a new one was begun"
    )
    hint_form = (
        "who deleted it? its records say that one was lost before them; "
        "a copy of it is worth keeping, beside the new one"
    )


class RunUnknown(UsageError):
    """A run that the journal does not know of this resource."""

    sentence_form = "{resource} has no run {run}"
    hint_form = "`unstoppable runs {resource}` lists its runs"


class EmitterUnusable(UnstoppableError):
    """The key that signs a customer's records cannot be used; it is never replaced."""

    sentence_form = "cannot sign records of {customer}: {path}: {cause}"
    hint_form = (
        "mend it or bring it back from a copy; if it is lost, move it away yourself: then the next "
        "run makes another key and a new chain. Until then runs are recorded and not signed"
    )


class EmitterMissing(UnstoppableError):
    """The key that signs a customer's records is not there, or not yet."""

    sentence_form = "{customer} has no key for its records: there is no {path}"
    hint_form = "the next backup makes it; bring it back from a copy if records were signed with it"


class RecordsBroken(UnstoppableError):
    """Signed records that do not follow one another."""

    sentence_form = "the signed records of {name} are broken after {last}: {cause}"
    hint_form = (
        "keep the state folder as it is: somebody changed the journal, or put an older copy in "
        "its place"
    )
