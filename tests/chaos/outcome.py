"""What was tried, and what survived."""

import sys
import time
from dataclasses import dataclass, field


@dataclass
class Attack:
    """One kind of attack: how often it was tried, for how long, and what did not survive."""

    promise: str
    tried: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


class Outcomes:
    """All attacks by name, in the order in which they were first tried."""

    def __init__(self) -> None:
        self.attacks: dict[str, Attack] = {}

    def tried(self, name: str, promise: str, began: float, problem: str | None) -> None:
        """Count one try that began at `began` of the monotonic clock; `problem` says in which way the promise was broken, if it was."""
        attack = self.attacks.setdefault(name, Attack(promise))
        attack.tried += 1
        attack.seconds += time.monotonic() - began
        if problem:
            attack.failures.append(problem)
            print(f"NOT SURVIVED: {name}: {problem}", file=sys.stderr, flush=True)

    @property
    def survived(self) -> bool:
        """Whether something was tried, and all of it survived."""
        return bool(self.attacks) and not any(attack.failures for attack in self.attacks.values())

    def table(self) -> str:
        """Return the attacks as a Markdown table."""
        rows = [
            f"| {name} | {attack.tried} | {attack.tried - len(attack.failures)} | {attack.seconds:.0f} | {attack.promise} |"
            for name, attack in self.attacks.items()
        ]
        return "\n".join(["| attack | tried | survived | seconds | survived means |", "|---|---|---|---|---|", *rows])
