"""Errors about telling others of runs; as in `errors`. None of them stops or fails a backup."""

from unstoppable.domain.errors import UnstoppableError, UsageError


class OutboxUnusable(UnstoppableError):
    """What was told already cannot be remembered: then nobody is told anything."""

    sentence_form = "nobody is told of runs: {path}: {cause}"
    hint_form = "backups go on; mend the folder of the state, what waits is told then"
    is_permanent = False


class OutboxDamaged(OutboxUnusable):
    """What lies at the outbox's place is none, or is broken."""

    hint_form = "backups go on; it is put aside and a new one begun by whoever tells of runs next"


class OutboxSetAside(UnstoppableError):
    """A damaged outbox was put under another name."""

    sentence_form = "the outbox {path} was damaged and now lies at {aside}"
    hint_form = "a new one was begun: reporters get records once more, which harms nothing"


class ReporterAway(UnstoppableError):
    """A reporter does not answer, or has a fault."""

    sentence_form = "the reporter {reporter} takes no records: {cause}"
    hint_form = "backups go on; what waits is sent by itself, see `unstoppable status`"
    is_permanent = False


class ReporterRefuses(UnstoppableError):
    """A reporter answers, and takes nothing of this customer."""

    sentence_form = "the reporter {reporter} refuses the records of {customer}: {cause}"
    hint_form = (
        "is its address right, and does it know the emitter that `unstoppable key emitter` shows? "
        "what waits is offered again every hour or so, in order"
    )


class RecordPassedOver(UnstoppableError):
    """A reporter takes other records and not this one."""

    sentence_form = "the reporter {reporter} refused the record of run {run} of {customer}: {cause}"
    hint_form = (
        "the records after it are sent all the same, so that reporter sees a gap; the record is "
        "in `unstoppable runs --signed`"
    )


class PingFailed(UnstoppableError):
    """A ping did not arrive; its address is never told."""

    sentence_form = "the ping URL of {resource} is not reached: {cause}"
    hint_form = "backups go on; `unstoppable notify test {resource}` tries it again"
    is_permanent = False


class PingUrlInvalid(UsageError):
    """What a setting refers to is no ping URL; it is never told."""

    sentence_form = "{name} cannot be used: {reason}"
    hint_form = "copy it from the service that is to be pinged; it is kept like a password"


class MailFailed(UnstoppableError):
    """A mail is not taken."""

    sentence_form = "mail to {recipient} is not taken by {server}: {cause}"
    hint_form = "it is sent by itself later; `unstoppable notify test` tries it again"
    is_permanent = False


class NotifyCaUnreadable(UsageError):
    """The certificates to trust beside the system's cannot be used."""

    sentence_form = "{path} cannot be used to trust whom runs are told to: {cause}"
    hint_form = "it must hold the certificates of your authority, as PEM"
