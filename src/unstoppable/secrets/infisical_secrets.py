"""Secrets of a run that an Infisical server keeps: asked for once, when the first one is needed."""

from dataclasses import dataclass, field

from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.infisical import Identity, InfisicalReference, Resolved
from unstoppable.domain.secret_errors import InfisicalFailed


class Keeper:
    """What one run has at its customer's server."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self._wanted: set[InfisicalReference] = set()
        self._found: dict[InfisicalReference, Resolved | InfisicalFailed] | None = None
        self._failed: UnstoppableError | None = None

    def want(self, reference: InfisicalReference) -> None:
        """Ask for this one too, when it comes to that."""
        self._wanted.add(reference)

    def value(self, reference: InfisicalReference) -> str:
        """Return a secret that is wanted; raises what `look` raises, or why it cannot be had."""
        if self._failed is not None:
            # Asked again and again with a wrong secret the identity would be locked out.
            raise self._failed
        if self._found is None:
            # Speaking HTTP takes a tenth of what a whole run takes to begin.
            from unstoppable.secrets.infisical import look  # noqa: PLC0415

            try:
                self._found = look(self.identity, self._wanted)
            except UnstoppableError as error:
                self._failed = error
                raise
        found = self._found[reference]
        if isinstance(found, InfisicalFailed):
            raise found
        return found.value


@dataclass(frozen=True, slots=True)
class InInfisical:
    """A secret that an Infisical server keeps."""

    reference: InfisicalReference
    keeper: Keeper = field(repr=False, compare=False)

    def __str__(self) -> str:
        return str(self.reference)

    def resolve(self) -> str:
        """Return the secret; raises InfisicalFailed, and what is wrong with the identity."""
        return self.keeper.value(self.reference)
