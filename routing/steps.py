"""What every pattern is made of: a step, its branches, and the move it makes in a call.

A pattern is one class: how it is read, written, decided and told. Whatever it does, the rest of
the system sees one of four moves.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from routing.acts import Reject, Say, Target, Voicemail
from routing.facts import Situation

if TYPE_CHECKING:
    from routing.reading import Reader

Document = dict[str, Any]
Label = Callable[[Target], str]


@dataclass(frozen=True, slots=True)
class FieldError:
    """Something about one field of a plan; as a note, it does not keep the plan from working."""

    path: str  # JSON pointer
    code: str
    message: str  # what to do about it


@dataclass(frozen=True, slots=True)
class Round:
    """Phones that ring together, for as long as the most patient of them.

    `indexes` are the targets' places in the step's own list.
    """

    targets: tuple[Target, ...]
    indexes: tuple[int, ...]
    ring_seconds: int


@dataclass(frozen=True, slots=True)
class Ring:
    """Ring round after round; go on to the branch when nobody took the call."""

    rounds: tuple[Round, ...]
    branch: str = "/otherwise"


@dataclass(frozen=True, slots=True)
class Choose:
    """Go on in one branch; the words say why."""

    branch: str
    words: str


@dataclass(frozen=True, slots=True)
class Speak:
    """Say something, then go on in the branch."""

    act: Say
    branch: str = "/then"


@dataclass(frozen=True, slots=True)
class Finish:
    """The call ends here, one way or another."""

    act: Voicemail | Reject


Move = Ring | Choose | Speak | Finish


@dataclass(frozen=True, slots=True)
class Branch:
    """A way on from a step: its JSON pointer below the step, and when it is taken."""

    pointer: str
    heading: str
    step: "Step"


class Step(ABC):
    """One node of a plan. Subclasses are frozen dataclasses, one per pattern."""

    __slots__ = ()
    pattern: ClassVar[str]
    chooses: ClassVar[bool] = False  # goes one way of several, rather than one after the other

    @classmethod
    @abstractmethod
    def read(cls, reader: "Reader", raw: Mapping[str, Any], path: str) -> "Step | None":
        """Build from JSON. Mistakes are noted on the reader, which then publishes nothing; None
        where there is not even enough to build a step."""

    @classmethod
    @abstractmethod
    def schema(cls) -> Document:
        """The JSON Schema of the pattern's own properties."""

    @abstractmethod
    def to_document(self) -> Document:
        """The JSON that reads back as this step, defaults left out."""

    @abstractmethod
    def move(self, situation: Situation, position: str) -> Move:
        """What this step does in a call."""

    @abstractmethod
    def words(self, label: Label) -> str:
        """What this step does, for people: "rings the front desk for 20 s"."""

    def branches(self) -> tuple[Branch, ...]:
        return ()

    def targets(self) -> tuple[tuple[str, Target], ...]:
        """The step's own targets with their pointers below the step."""
        return ()

    def ring_seconds(self) -> int:
        """The longest time that this step itself keeps a caller waiting."""
        return 0

    def notes(self) -> tuple[FieldError, ...]:
        """What works but may surprise; paths are below the step."""
        return ()
