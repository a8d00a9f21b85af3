"""What holds of a process that gave up what it does not need."""

from dataclasses import dataclass

NOT_CONFINED = (
    "this run can open whatever its user may: "
    "only a kernel from 5.19 on, with Landlock switched on, confines it to what it needs"
)

NOT_CHILDLESS = "a process that it starts may go on when it has ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What the kernel refuses from now on; nothing takes that back."""

    abi: int
    """The version of Landlock; 0 where there is none."""
    files: bool
    """Whether nothing but the needed paths can be opened."""
    network: bool
    """Whether TCP goes to the needed ports alone."""
    processes: bool
    """Whether no signal reaches another process."""
    children: bool
    """Whether it starts no other process."""
    missing: tuple[str, ...]
    """Needed paths that are not there; what is put there later cannot be opened."""

    @property
    def told(self) -> str:
        """What holds, in one line."""
        if not self.files:
            return NOT_CONFINED
        held = {
            "files": True,
            "TCP": self.network,
            "signals": self.processes,
            "children": self.children,
        }
        names = ", ".join(name for name, holds in held.items() if holds)
        told = f"confined by Landlock {self.abi}: {names}"
        return told if self.children else f"{told}; {NOT_CHILDLESS}"
