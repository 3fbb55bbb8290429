"""What all live calls share: the clock, the books, the courier, and who is on the line."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.sandbox.billed import Bill
from gateway.sandbox.callbacks import Callback, Courier
from gateway.sandbox.calls import Call, to_document
from gateway.sandbox.clock import Scheduler
from gateway.sandbox.errors import Notification
from gateway.sandbox.numbers import Numbers
from gateway.sandbox.people import People
from gateway.sandbox.poster import Poster, Reply, Request
from gateway.sandbox.recordings import Recording
from gateway.sandbox.store import Store
from gateway.sandbox.tasks import Signal

if TYPE_CHECKING:
    from gateway.sandbox.interpreter import Session
    from gateway.sandbox.legs import Leg

log = logging.getLogger(__name__)

NOTIFICATIONS_KEPT_MAX = 5_000


@dataclass
class Books:
    """Everything that outlives a call; shared, with its lock, by the live exchange and a simulated
    day."""

    store: Store
    numbers: Numbers
    bill: Bill
    lock: threading.RLock = field(default_factory=threading.RLock)
    calls: dict[str, Call] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    recordings: dict[str, Recording] = field(default_factory=dict)
    live: "dict[str, Leg]" = field(default_factory=dict)
    queues: "dict[str, list[Session]]" = field(default_factory=dict)
    notifications: deque[Notification] = field(
        default_factory=lambda: deque(maxlen=NOTIFICATIONS_KEPT_MAX)
    )


@dataclass
class Exchange:
    """`open_inbound` starts a call on one of the carrier's own numbers; the roof hangs it in here,
    because a forwarded call may come in again (a loop)."""

    account_sid: str
    scheduler: Scheduler
    poster: Poster
    courier: Courier
    people: People
    books: Books
    base_url: str
    price_delay_seconds: float = 60.0
    action_after_caller_hangup: bool = False
    open_inbound: "Callable[..., Session]" = field(init=False)

    def fetch(self, request: Request) -> Signal:
        """Ask the customer for a document; the signal's value is the Reply."""
        answered = Signal()

        def done(reply: Reply) -> None:
            answered.fire(reply)

        self.scheduler.background(lambda: self.poster(request), done)
        return answered

    def tell(self, kind: str, about: Call, url: str, params: dict[str, str], method: str) -> None:
        root = about.parent_call_sid or about.sid
        self.courier.send(Callback(kind, root, url, params, self.scheduler.now(), method))

    def add(self, call: Call) -> None:
        self.books.calls[call.sid] = call
        if call.parent_call_sid:
            self.books.children.setdefault(call.parent_call_sid, []).append(call.sid)
        self.save(call)

    def save(self, call: Call) -> None:
        self.books.store.save("call", call.sid, to_document(call))

    def settle(self, call: Call) -> None:
        """An ended leg goes on the bill at once; the customer sees its price some time later."""
        line = self.books.bill.add(call)
        if line is not None and call.price_micros is None:

            def publish() -> None:
                call.price_micros = line.price_micros
                self.save(call)

            self.scheduler.after(self.price_delay_seconds, publish)

    def keep_recording(self, recording: Recording) -> None:
        self.books.recordings[recording.sid] = recording
        self.books.store.save("recording", recording.sid, to_document(recording))

    def warn(self, call: Call, code: int, message: str, url: str = "") -> None:
        at = self.scheduler.now().isoformat()
        entry = Notification(at, call.sid, code, message, url)
        self.books.notifications.append(entry)
        log.warning("%s: %d %s %s", call.sid, code, message, url)

    def notifications(self, call_sid: str) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.books.notifications if entry.call_sid == call_sid]
