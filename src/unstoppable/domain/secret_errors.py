"""Errors of secrets that lie elsewhere; as in `errors`.

Three families tell whom an Infisical server fails: `InfisicalAway` everybody who asks it,
`IdentityRefused` one identity, `ReferenceUnusable` one reference. No error holds anything that the
server sent but names of secrets, paths and environments.
"""

from unstoppable.domain.errors import UnstoppableError, UsageError

# --- on this machine ----------------------------------------------------------------------------


class VariableUnset(UsageError):
    """A reference to a variable that the environment does not hold."""

    sentence_form = "{name} is env:{variable}, and the environment holds no {variable}"
    hint_form = "give it to the process that runs the backup, or refer to a file with file:/PATH"


class SecretsNotTaken(UsageError):
    """What was to bring secrets does not; no value of it is ever told."""

    sentence_form = "cannot take secrets from descriptor {descriptor}: {reason}"
    hint_form = (
        "--secrets-fd is for a program that starts this one: it writes one JSON object of names "
        "and values into a pipe, closes it, and passes the other end, 3 or above"
    )


class SecretsNotHad(UnstoppableError):
    """Secrets of a run that whoever started it could not read."""

    sentence_form = "{resource} has not the secrets it needs: {reason}"
    hint_form = "`unstoppable secrets check {resource}` tries each of them"


class ClientSecretInvalid(UsageError):
    """A client secret that no server gives out; its value is never told."""

    sentence_form = "{name} is no client secret: {reason}"
    hint_form = "copy it from Infisical, without anything before or after it"


class InfisicalCaUnreadable(UsageError):
    """The certificates to trust for an Infisical server cannot be used."""

    sentence_form = "{path} cannot be used to trust the Infisical server of {customer}: {cause}"
    hint_form = "it must hold the certificates of your authority, as PEM"


# --- the server as a whole ----------------------------------------------------------------------


class InfisicalFailed(UnstoppableError):
    """An Infisical server did not give what it was asked for."""


class InfisicalAway(InfisicalFailed):
    """The server gives nothing to anybody: every customer whose secrets it holds is hit at once."""

    is_permanent = False


class InfisicalUnreachable(InfisicalAway):
    """No connection, or one that ends before the answer does."""

    sentence_form = "the Infisical server {server} of {customer} cannot be reached: {cause}"
    hint_form = "does it run, is its address right, and may this machine connect to it?"


class InfisicalUntrusted(InfisicalAway):
    """Its certificate is not believed."""

    sentence_form = "the Infisical server {server} of {customer} is not trusted: {cause}"
    hint_form = (
        "is its address right? a certificate of your own authority needs its CA file; if both "
        "are right, somebody may be in between"
    )


class InfisicalSlow(InfisicalAway):
    """No whole answer in time."""

    sentence_form = "the Infisical server {server} gave {customer} no answer within {within}"
    hint_form = "is it overloaded? nothing was started; the next run asks again"


class InfisicalBusy(InfisicalAway):
    """It asks to be left alone for longer than a run may wait."""

    sentence_form = (
        "the Infisical server {server} is asked too often: {customer} would have to wait for "
        "{asked} more"
    )
    hint_form = (
        "it counts the requests of each address: spread the schedules, or have its administrator "
        "raise the limit"
    )


class InfisicalBroken(InfisicalAway):
    """It answers that it has a fault, again and again."""

    sentence_form = "the Infisical server {server} of {customer} has a fault: it answered {status}"
    hint_form = "its log tells more; the next run asks again"


class InfisicalElsewhere(InfisicalAway):
    """It sends to another address, where the client secret is not taken."""

    sentence_form = "the Infisical server {server} of {customer} sends to another address"
    hint_form = "set the address at which it answers itself; no redirection is followed"


class InfisicalMisunderstood(InfisicalAway):
    """What came is not what an Infisical server says."""

    sentence_form = "the Infisical server {server} of {customer} is not understood: {reason}"
    hint_form = "is that the address of an Infisical server, with nothing before it that answers?"


# --- one identity -------------------------------------------------------------------------------


class IdentityRefused(InfisicalFailed):
    """The server works, and refuses this identity: other customers are not hit."""


class IdentityLocked(IdentityRefused):
    """Somebody gave too many wrong client secrets."""

    sentence_form = "the identity {client_id} of {customer} is locked out at {server}"
    hint_form = (
        "somebody gave wrong client secrets: it ends after some minutes, or when its lockouts are "
        "cleared in Infisical; was it not this machine, let the identity in from here alone"
    )
    is_permanent = False


class ClientSecretWrong(IdentityRefused):
    """The client secret is not, or no longer, one of the client id."""

    sentence_form = "{server} does not know {client_id} of {customer} with this {name}"
    hint_form = (
        "make a client secret for that client id in Infisical and put it there; it was sent once, "
        "because three wrong ones lock an identity out"
    )


class ClientSecretSpent(IdentityRefused):
    """The client secret was right once."""

    sentence_form = "{name} of {customer} has expired or was used as often as it may, at {server}"
    hint_form = "make a new client secret in Infisical, without an end and a number of uses"


class MachineRefused(IdentityRefused):
    """The identity may not log in from here."""

    sentence_form = "{server} does not let {client_id} of {customer} in from this machine"
    hint_form = "add this machine's address to the trusted IPs of the identity's client secrets"


class TokenRefused(IdentityRefused):
    """A token that was just given is not taken."""

    sentence_form = "{server} does not take the token that it just gave {client_id} of {customer}"
    hint_form = "do the trusted IPs of the identity's tokens hold this machine's address?"


class ProjectUnknown(IdentityRefused):
    """No such project, or no such environment in it."""

    sentence_form = (
        "{server} knows no project {project_id} with environment {environment} for {customer}"
    )
    hint_form = "the project's settings in Infisical show its id, and each environment's slug"


class PermissionMissing(IdentityRefused):
    """The identity may not list a path."""

    sentence_form = (
        "the identity {client_id} of {customer} may not read {path} in {environment} of project "
        "{project_id}"
    )
    hint_form = "in Infisical add the identity to the project, with a role that may read secrets"


# --- one reference ------------------------------------------------------------------------------


class ReferenceUnusable(InfisicalFailed):
    """The server gives something, and not what a reference asks for."""


class PathMissing(ReferenceUnusable):
    """Nothing at a path; the server does not tell a missing folder from an empty one."""

    sentence_form = "{reference} of {customer} is not there: {path} in {environment} holds nothing"
    hint_form = "is the folder right, and may the identity see secrets there?"


class SecretMissing(ReferenceUnusable):
    """No secret of that name at its path."""

    sentence_form = "{reference} of {customer} is not there in {environment}"
    hint_form = "did you mean {nearest}? if not, may the identity see it?"


class ValueHidden(ReferenceUnusable):
    """The identity may see that there is a secret, and not its value."""

    sentence_form = "the value of {reference} is hidden from the identity of {customer}"
    hint_form = "in Infisical give the identity a role that may read values at that path"


class ValueEmpty(ReferenceUnusable):
    """A secret without a value."""

    sentence_form = "{reference} of {customer} is empty"
    hint_form = "give it a value in Infisical"


class ValueElsewhere(ReferenceUnusable):
    """A value that lies where nobody asked."""

    sentence_form = "{server} gave {reference} of {customer} from elsewhere: {found}"
    hint_form = "it was not used; is that an Infisical server, and its version one that is kept?"
