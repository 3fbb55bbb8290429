"""The carrier as a whole: what can be done to it, by a test, by REST or by its own people."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

from gateway.sandbox.billed import Bill
from gateway.sandbox.callbacks import Callback, Courier, Faults
from gateway.sandbox.calls import Call, Status, call_from_document, new_sid
from gateway.sandbox.card_events import CardEvents
from gateway.sandbox.cards import CardNetwork
from gateway.sandbox.clock import Clock, RealClock, RealScheduler, VirtualClock, VirtualScheduler
from gateway.sandbox.errors import CarrierError, not_found
from gateway.sandbox.exchange import Books, Exchange
from gateway.sandbox.interpreter import Session
from gateway.sandbox.legs import Leg, ring_own_number, ring_person, tell_progress
from gateway.sandbox.messages import Messages
from gateway.sandbox.numbers import IncomingNumber, Numbers
from gateway.sandbox.people import Behaviour, CallerScript, Outcome, People, seeded
from gateway.sandbox.places import is_toll_free, place_of
from gateway.sandbox.poster import HttpPoster, Poster, Request
from gateway.sandbox.rates import NUMBER_MONTH_LOCAL, NUMBER_MONTH_TOLL_FREE
from gateway.sandbox.recordings import recording_from_document
from gateway.sandbox.store import Store

WITHHELD = "anonymous"
API_RING_SECONDS = 60  # default Timeout of POST /Calls
HEARTBEAT_SECONDS = 5.0


class Carrier:
    """With a VirtualClock nothing moves until `run_until` or `run_until_idle`; with a RealClock it
    lives between `start` and `stop`. `hold` captures callbacks instead of posting them (documents
    are always asked for). All methods may be called from any thread."""

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        clock: Clock | None = None,
        poster: Poster | None = None,
        store: Store | None = None,
        *,
        base_url: str = "http://127.0.0.1:8001",
        seed: int = 1,
        hold: bool = False,
        kept_max: int | None = None,
        price_delay_seconds: float = 60.0,
        action_after_caller_hangup: bool = False,
        books: Books | None = None,
        people: People | None = None,
        card_events_url: str = "",
    ) -> None:
        self.account_sid, self.auth_token, self.seed = account_sid, auth_token, seed
        self.clock = clock or RealClock()
        self.books = books or _open_books(store or Store())
        self.scheduler = (
            VirtualScheduler(self.clock, self.books.lock)
            if isinstance(self.clock, VirtualClock)
            else RealScheduler(self.clock, self.books.lock)
        )
        self.poster = poster or HttpPoster(auth_token)
        self.people = people or People(seed)
        self.courier = Courier(self.scheduler, self.poster, hold=hold, kept_max=kept_max)
        self.exchange = Exchange(
            account_sid, self.scheduler, self.poster, self.courier, self.people, self.books,
            base_url, price_delay_seconds, action_after_caller_hangup,
        )  # fmt: skip
        self.exchange.open_inbound = self._open_inbound
        self.messages = Messages(self.exchange)
        events = CardEvents(self.scheduler, url=card_events_url, secret=f"whsec_{auth_token}")
        self.cards = CardNetwork(self.scheduler, self.books.store, events)

    # Time.

    def run_until(self, when: datetime) -> None:
        self._virtual().run_until(when)

    def run_for(self, seconds: float) -> None:
        self.run_until(self.clock.now() + timedelta(seconds=seconds))

    def run_until_idle(self) -> None:
        self._virtual().run_until_idle()

    def start(self) -> None:
        scheduler = self.scheduler
        assert isinstance(scheduler, RealScheduler), "a virtual clock is run, not started"
        scheduler.start()
        self._catch_up()
        self._heartbeat()

    def stop(self) -> None:
        if isinstance(self.scheduler, RealScheduler):
            self.scheduler.stop()

    def _virtual(self) -> VirtualScheduler:
        scheduler = self.scheduler
        assert isinstance(scheduler, VirtualScheduler), "only a virtual clock can be run"
        return scheduler

    # Calls.

    def place_call(self, from_: str, to: str, caller: CallerScript | None = None) -> str:
        """Somebody dials one of the numbers. A number without an owner or without a VoiceUrl fails
        at once, without a diagnostic, as Twilio does."""
        with self.scheduler.lock:
            session = self._open_inbound(from_=from_, to=to, caller=caller or CallerScript())
            return session.leg.call.sid

    def _open_inbound(
        self,
        *,
        from_: str,
        to: str,
        caller: CallerScript | None = None,
        forwarded_from: str = "",
        hops: int = 0,
    ) -> Session:
        caller = caller or CallerScript()
        number = self.books.numbers.owned.get(to)
        call = Call(
            sid=new_sid("CA"),
            account_sid=self.account_sid,
            from_=WITHHELD if caller.withheld else from_,
            to=to,
            direction="inbound",
            status=Status.RINGING,
            created_at=self.clock.now(),
            forwarded_from=forwarded_from or caller.forwarded_from,
            stir=self._attestation(from_, caller),
            hops=hops,
        )
        if number is not None:
            call.number_sid = number.sid
            call.fallback_url = number.voice_fallback_url
            call.fallback_method = number.voice_fallback_method
            call.status_callback = number.status_callback
            call.status_callback_method = number.status_callback_method
        leg = Leg(self.exchange, call)
        first: Request | bytes = b"<Response/>"
        if number is not None and number.voice_url:
            first = Request(number.voice_url, {}, number.voice_method)
        else:
            leg.end(Status.FAILED)
        session = Session(self.exchange, leg, caller, first)
        if caller.hangs_up_after_seconds is not None:
            self.scheduler.after(caller.hangs_up_after_seconds, session.hang_up)
        return session

    def create_call(self, form: Mapping[str, str], events: tuple[str, ...] = ()) -> Call:
        """POST /Calls: rings `To`, then plays `Url` or `Twiml` to whoever answers."""
        with self.scheduler.lock:
            to, from_ = form.get("To", ""), form.get("From", "")
            if not to:
                raise CarrierError(400, 21201, "No 'To' number is specified")
            if not (to.startswith(("sip:", "client:")) or (to[:1] == "+" and to[1:].isdigit())):
                raise CarrierError(
                    400, 21211, f"The phone number you are attempting to call, {to}, is not valid."
                )
            if not from_:
                raise CarrierError(400, 21213, "No 'From' number is specified")
            if not self.books.numbers.may_send(from_):
                raise CarrierError(
                    400,
                    21210,
                    f"The source phone number provided, {from_}, is not yet verified.",
                )
            if not form.get("Url") and not form.get("Twiml"):
                raise CarrierError(400, 21205, "Url parameter is required.")
            call = Call(
                sid=new_sid("CA"),
                account_sid=self.account_sid,
                from_=form.get("CallerId") or from_,
                to=to,
                direction="outbound-api",
                status=Status.QUEUED,
                created_at=self.clock.now(),
                number_sid=owned.sid if (owned := self.books.numbers.owned.get(from_)) else "",
                fallback_url=form.get("FallbackUrl", ""),
                fallback_method=form.get("FallbackMethod", "POST"),
                status_callback=form.get("StatusCallback", ""),
                status_callback_method=form.get("StatusCallbackMethod", "POST"),
                status_callback_events=events or ("completed",),
            )
            leg = Leg(self.exchange, call)
            if form.get("TimeLimit", "").isdigit():
                leg.limit(int(form["TimeLimit"]))
            ring_seconds = (
                int(form["Timeout"]) if form.get("Timeout", "").isdigit() else API_RING_SECONDS
            )

            def give_up() -> None:
                if not leg.is_answered:
                    leg.end(Status.NO_ANSWER)

            self.scheduler.after(ring_seconds, give_up)
            if to in self.books.numbers.owned:
                ring_own_number(self.exchange, leg, forwarded_from="")
                behaviour = Behaviour(talks_seconds=None)
            else:
                behaviour = self.people.behaviour(to)
                ring_person(self.exchange, leg, behaviour)
            leg.answered.then(lambda: self._play_to_callee(leg, behaviour, form))
            return call

    def _play_to_callee(self, leg: Leg, behaviour: Behaviour, form: Mapping[str, str]) -> None:
        if form.get("MachineDetection"):
            machine = behaviour.outcome is Outcome.MACHINE
            leg.call.answered_by = "machine_start" if machine else "human"
        session = Session(self.exchange, leg, behaviour, _document(form))
        if behaviour.talks_seconds is not None:
            self.scheduler.after(behaviour.talks_seconds, session.hang_up)

    def update_call(self, sid: str, form: Mapping[str, str]) -> Call:
        """POST /Calls/{sid}: end it, cancel it, put another document on it, or limit its time."""
        with self.scheduler.lock:
            call = self.call(sid)
            leg = self.books.live.get(sid)
            status = form.get("Status", "")
            if status not in ("", "completed", "canceled"):
                raise CarrierError(
                    400, 20001, f"Status {status!r} is neither completed nor canceled"
                )
            if leg is None:
                if status == "completed":
                    return call  # ending what has ended changes nothing
                raise CarrierError(400, 21220, "Call is not in-progress. Cannot redirect.")
            if status == "canceled" and leg.is_answered:
                raise CarrierError(400, 21220, "Call is in-progress. Cannot cancel.")
            if status:
                leg.hang_up(Status.CANCELED)
            elif form.get("TimeLimit", "").isdigit():
                leg.limit(int(form["TimeLimit"]))
            elif form.get("Url") or form.get("Twiml"):
                self._redirect(leg, form)
            return call

    def _redirect(self, leg: Leg, form: Mapping[str, str]) -> None:
        if leg.session is None or not leg.is_answered:
            raise CarrierError(400, 21220, "Call is not in-progress. Cannot redirect.")
        leg.session.redirect(_document(form))

    def remember(self, call: Call) -> None:
        """A leg of the time before this process, priced as any other."""
        if call.sid not in self.books.calls:
            line = self.books.bill.add(call)
            call.price_micros = line.price_micros if line else None
            self.exchange.add(call)

    def call(self, sid: str) -> Call:
        if sid not in self.books.calls:
            raise not_found(f"/Calls/{sid}.json")
        return self.books.calls[sid]

    def children(self, sid: str) -> list[Call]:
        return [self.books.calls[child] for child in self.books.children.get(sid, [])]

    def _attestation(self, from_: str, caller: CallerScript) -> str:
        """Most North American callers are attested by their carrier, some are not."""
        if caller.stir is not None:
            return caller.stir
        if caller.withheld or place_of(from_).country not in ("US", "CA"):
            return ""
        levels = ("TN-Validation-Passed-A", "TN-Validation-Passed-B", "TN-Validation-Passed-C", "")
        return seeded(self.seed, "stir", from_).choices(levels, weights=(70, 10, 5, 15))[0]

    # Numbers and texts.

    def buy_number(self, form: Mapping[str, str]) -> IncomingNumber:
        """The first month is charged at once: twilio bills rent in advance."""
        with self.scheduler.lock:
            number = self.books.numbers.buy(dict(form), self.clock.now())
            toll_free = is_toll_free(number.phone_number)
            self.books.bill.charge(
                number.sid, NUMBER_MONTH_TOLL_FREE if toll_free else NUMBER_MONTH_LOCAL
            )
            return number

    def receive_message(self, from_: str, to: str, body: str) -> str:
        with self.scheduler.lock:
            return self.messages.receive(from_, to, body).sid

    # Callbacks.

    @property
    def captured(self) -> "deque[Callback]":
        return self.courier.captured

    @property
    def faults(self) -> Faults:
        return self.courier.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.courier.faults = faults

    # Restarts.

    def _catch_up(self) -> None:
        """Calls that were live when this process stopped ended when it was last seen alive; the
        prices that it still owed appear."""
        seen = self.books.store.load("heartbeat")
        with self.scheduler.lock:
            for call in list(self.books.calls.values()):
                if call.over:
                    self.exchange.settle(call)
                if call.over or call.sid in self.books.live:
                    continue
                died_at = datetime.fromisoformat(seen[0]["at"]) if seen else call.created_at
                call.ended_at = max(died_at, call.answered_at or call.created_at)
                call.status = Status.COMPLETED if call.answered_at else Status.FAILED
                self.exchange.settle(call)
                self.exchange.save(call)
                tell_progress(self.exchange, call, "completed")

    def _heartbeat(self) -> None:
        self.books.store.save("heartbeat", "carrier", {"at": self.clock.now().isoformat()})
        self.scheduler.after(HEARTBEAT_SECONDS, self._heartbeat)


def _open_books(store: Store) -> Books:
    books = Books(store, Numbers(store), Bill(store))
    for document in store.load("call"):
        call = call_from_document(document)
        books.calls[call.sid] = call
        if call.parent_call_sid:
            books.children.setdefault(call.parent_call_sid, []).append(call.sid)
    for document in store.load("recording"):
        recording = recording_from_document(document)
        books.recordings[recording.sid] = recording
    return books


def _document(form: Mapping[str, str]) -> Request | bytes:
    if form.get("Twiml"):
        return form["Twiml"].encode()
    return Request(form["Url"], {}, form.get("Method", "POST"))
