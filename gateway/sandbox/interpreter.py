"""One call and the documents that run on it: fetch, read, play, verb by verb."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

from gateway.sandbox import twiml
from gateway.sandbox.calls import Status, new_sid
from gateway.sandbox.dial import Dial
from gateway.sandbox.errors import TwimlError
from gateway.sandbox.exchange import Exchange
from gateway.sandbox.legs import HungUp, Leg
from gateway.sandbox.params import call_params, rfc_2822
from gateway.sandbox.people import Behaviour, CallerScript
from gateway.sandbox.poster import Reply, Request
from gateway.sandbox.recordings import Recording
from gateway.sandbox.tasks import Signal, Steps, Task, Wait, at_the_end, pause

DOCUMENTS_PER_CALL_MAX = 500  # a document that leads back to itself must end some time
SCREENING_VERBS = frozenset({"Say", "Play", "Pause", "Gather", "Hangup", "Redirect"})
WAITING_VERBS = SCREENING_VERBS | {"Leave"}
CALL_VERBS = frozenset(twiml.ATTRIBUTES) - {"Leave"}
RECORDING_READY_SECONDS = 2.0  # between the end of a recording and its file
QUEUE_NAME_MAX, QUEUE_SIZE_MAX = 64, 1_000

Go = Request | None  # the next document, or on with the next verb


class Redirected(Exception):
    """The REST API put another document on a live call."""

    def __init__(self, request: Request | bytes) -> None:
        super().__init__()
        self.request = request


class Left(Exception):
    """<Leave>: out of the queue."""


class Session:
    """Plays documents on `leg` until it ends. `screening` is set where the documents run on a
    callee before the bridge: it is called when they are through and the callee is still there."""

    def __init__(
        self,
        exchange: Exchange,
        leg: Leg,
        person: CallerScript | Behaviour,
        first: Request | bytes,
        *,
        screening: Callable[[], None] | None = None,
    ) -> None:
        self.exchange, self.leg, self.person = exchange, leg, person
        self._screening = screening
        self._verbs_allowed = SCREENING_VERBS if screening else CALL_VERBS
        self._presses = list(person.presses)
        self._at_url = first.url if isinstance(first, Request) else ""
        self._documents = 0
        self._fell_back = False
        self._unanswered: Status | None = None  # how the last Dial left a call still ringing
        self._task = Task(exchange.scheduler, self._run(first))
        leg.ended.then(lambda: self._task.interrupt(HungUp()))
        if screening is None:
            leg.hang_up, leg.session = self.hang_up, self

    # What others do to this call.

    def hang_up(self, unanswered: Status = Status.NO_ANSWER) -> None:
        self._task.interrupt(HungUp(unanswered))

    def redirect(self, to: Request | bytes) -> None:
        self._task.interrupt(Redirected(to))

    def screen(
        self, leg: Leg, request: Request, behaviour: Behaviour, through: Callable[[], None]
    ) -> None:
        Session(self.exchange, leg, behaviour, request, screening=through)

    # The loop.

    def _run(self, first: Request | bytes) -> Steps[None]:
        request: Request | bytes | None = first
        through = False
        while request is not None:
            try:
                request = yield from self._document(request)
                through = request is None
            except Redirected as redirected:
                request = redirected.request
            except TwimlError as fault:
                request = self._fallback(fault)
            except HungUp as hung_up:
                self.leg.end(hung_up.unanswered)
                return
        if self._screening is None:
            self._finish(played=through)
        elif through:
            self._screening()
        else:
            self.leg.end(Status.COMPLETED)

    def _document(self, request: Request | bytes) -> Steps[Go]:
        self._documents += 1
        if self._documents > DOCUMENTS_PER_CALL_MAX:
            raise TwimlError(12400, f"more than {DOCUMENTS_PER_CALL_MAX} documents on one call")
        if isinstance(request, bytes):
            verbs = twiml.parse(request, self.warn)
        else:
            self._at_url = request.url
            verbs = twiml.read((yield from self._fetch(request)), self.warn)
        for index, verb in enumerate(verbs):
            go = yield from self._play(verb, first=index == 0)
            if go is not None:
                return go
        return None

    def _fetch(self, request: Request) -> Steps[Reply]:
        params = {**call_params(self.leg.call), **request.params}
        fetched = self.exchange.fetch(Request(request.url, params, request.method))
        yield Wait(fetched)
        reply: Reply = fetched.value
        return reply

    def _fallback(self, fault: TwimlError) -> Request | None:
        """The fallback URL is asked once, with the fault and the address of the document."""
        call, url = self.leg.call, self._at_url
        self.exchange.warn(call, fault.code, str(fault), url)
        if self._screening is not None or not call.fallback_url or self._fell_back:
            if not self.leg.is_answered:
                self._unanswered = Status.FAILED
            return None
        self._fell_back = True
        extra = {"ErrorCode": str(fault.code), "ErrorUrl": url}
        return Request(call.fallback_url, extra, call.fallback_method)

    def _finish(self, *, played: bool) -> None:
        """No verb is left: the call is hung up. One that still rings is answered by that, as by a
        Hangup, unless a Dial kept it ringing in vain."""
        if played and self._unanswered is None:
            self.leg.answer()
        self.leg.end(self._unanswered or Status.FAILED)

    def warn(self, code: int, message: str) -> None:
        self.exchange.warn(self.leg.call, code, message, self._at_url)

    def absolute(self, url: str) -> str:
        return urljoin(self._at_url, url) if url else ""

    # The verbs.

    def _play(self, verb: twiml.Verb, *, first: bool) -> Steps[Go]:
        if verb.name not in self._verbs_allowed:
            code = 13201 if verb.name == "Dial" else 12200
            raise TwimlError(code, f"<{verb.name}> cannot be used here")
        if verb.name == "Reject":
            raise self._reject(verb)
        if verb.name == "Hangup":
            if self._screening is None and not self.leg.is_answered:
                self._finish(played=True)
            raise HungUp
        if verb.name == "Redirect":
            return self._request(verb.text, verb.get("method", "POST"), {})
        if verb.name == "Dial":
            return (yield from self._dial(verb, first))
        self.leg.answer()
        if verb.name in ("Say", "Play", "Pause"):
            yield from pause(twiml.seconds_to_play(verb))
            return None
        if verb.name == "Gather":
            return (yield from self._gather(verb))
        if verb.name == "Record":
            return (yield from self._record(verb))
        if verb.name == "Enqueue":
            return (yield from self._enqueue(verb))
        raise Left

    def _reject(self, verb: twiml.Verb) -> HungUp:
        reason = verb.get("reason", "rejected")
        if reason not in ("rejected", "busy"):
            self.warn(12200, f"reason {reason!r} on <Reject> is neither rejected nor busy")
        return HungUp(Status.BUSY if reason == "busy" else Status.NO_ANSWER)

    def _dial(self, verb: twiml.Verb, first: bool) -> Steps[Go]:
        """The first verb of a document keeps a ringing call ringing with answerOnBridge, also where
        an earlier document dialled in vain."""
        if not (first and verb.flag("answerOnBridge")):
            self.leg.answer()
        try:
            outcome = yield from Dial(self, verb).run()
        except HungUp:
            if verb.get("action") and self.exchange.action_after_caller_hangup:
                params = call_params(self.leg.call, Status.COMPLETED)
                url = self.absolute(verb.get("action"))
                self.exchange.tell("action", self.leg.call, url, params, "POST")
            raise
        if not self.leg.is_answered:
            busy = outcome.status is Status.BUSY
            self._unanswered = Status.BUSY if busy else Status.NO_ANSWER
        if not verb.get("action"):
            return None
        params = outcome.params(self._recording_url)
        return self._request(verb.get("action"), verb.get("method", "POST"), params)

    def _gather(self, verb: twiml.Verb) -> Steps[Go]:
        for prompt in verb.children:
            yield from pause(twiml.seconds_to_play(prompt))
        pressed = self._presses.pop(0) if self._presses else ""
        digits = self._digits(verb, pressed)
        timeout = twiml.integer(verb, "timeout", self.warn, low=1, high=600, default=5, code=13321)
        yield from pause(1 if pressed else timeout)
        if not digits and not verb.flag("actionOnEmptyResult"):
            return None
        # Without an action the current document is asked again, with the digits.
        return self._request(verb.get("action"), verb.get("method", "POST"), {"Digits": digits})

    def _digits(self, verb: twiml.Verb, pressed: str) -> str:
        finish = verb.get("finishOnKey", "#")
        if finish and finish in pressed:
            pressed = pressed[: pressed.index(finish)]
        most = twiml.integer(verb, "numDigits", self.warn, low=1, high=99, default=99, code=13314)
        return pressed[:most]

    def _record(self, verb: twiml.Verb) -> Steps[Go]:
        most = twiml.integer(
            verb, "maxLength", self.warn, low=2, high=14_400, default=3600, code=13612
        )
        silence = twiml.integer(verb, "timeout", self.warn, low=1, high=600, default=5, code=13613)
        speaks = self.person.message_seconds if isinstance(self.person, CallerScript) else 8
        if verb.get("playBeep", "true") != "false":
            yield from pause(1)
        recording = self.start_recording(verb, "RecordVerb", 1)
        with at_the_end(lambda: self.stop_recording(verb, recording, absent=speaks <= 0)):
            yield from pause(min(speaks, most) if speaks > 0 else silence)
        if speaks <= 0:
            return None
        params = {
            "RecordingUrl": self._recording_url(recording),
            "RecordingSid": recording.sid,
            "RecordingDuration": str(recording.duration_seconds),
        }
        if speaks <= most:  # they have said what they had to say, and hang up
            status = Status.COMPLETED
            url = self.absolute(verb.get("action")) or self._at_url
            told = {**call_params(self.leg.call, status), **params, "Digits": "hangup"}
            self.exchange.tell("action", self.leg.call, url, told, verb.get("method", "POST"))
            raise HungUp
        return self._request(
            verb.get("action"), verb.get("method", "POST"), {**params, "Digits": ""}
        )

    def _enqueue(self, verb: twiml.Verb) -> Steps[Go]:
        name = verb.text[:QUEUE_NAME_MAX]
        queue = self.exchange.books.queues.setdefault(name, [])
        most = twiml.integer(
            verb, "maxQueueSize", self.warn, low=1, high=QUEUE_SIZE_MAX, default=QUEUE_SIZE_MAX,
            code=12200,
        )  # fmt: skip
        method = verb.get("method", "POST")
        if len(queue) >= most:
            return self._request(verb.get("action"), method, {"QueueResult": "queue-full"})
        queue.append(self)
        ids = {"QueueSid": new_sid("QU")}
        entered = self.exchange.scheduler.now()
        self._verbs_allowed = WAITING_VERBS
        try:
            with at_the_end(lambda: self._leave(queue)):
                yield from self._wait_in_queue(verb, queue, ids)
        except Left:
            seconds = int((self.exchange.scheduler.now() - entered).total_seconds())
            params = {**ids, "QueueResult": "leave", "QueueTime": str(seconds)}
            return self._request(verb.get("action"), method, params) if verb.get("action") else None
        return None

    def _leave(self, queue: "list[Session]") -> None:
        queue.remove(self)
        self._verbs_allowed = CALL_VERBS

    def _wait_in_queue(
        self, verb: twiml.Verb, queue: "list[Session]", ids: dict[str, str]
    ) -> Steps[None]:
        entered = self.exchange.scheduler.now()
        request: Go = None
        while True:
            if not verb.get("waitUrl"):
                yield Wait(Signal(), 3600)
                continue
            now = self.exchange.scheduler.now()
            params = {
                **ids,
                "QueuePosition": str(queue.index(self) + 1),
                "QueueTime": str(int((now - entered).total_seconds())),
                "AvgQueueTime": "0",
                "CurrentQueueSize": str(len(queue)),
                "MaxQueueSize": verb.get("maxQueueSize", str(QUEUE_SIZE_MAX)),
            }
            url, wait_method = self.absolute(verb.get("waitUrl")), verb.get("waitUrlMethod", "POST")
            request = yield from self._document(request or Request(url, params, wait_method))
            if self.exchange.scheduler.now() == now:
                yield from pause(1)  # a document without a sound must not spin

    def _request(self, url: str, method: str, params: dict[str, str]) -> Request:
        return Request(self.absolute(url) or self._at_url, params, method)

    # Recordings.

    def start_recording(self, verb: twiml.Verb, source: str, channels: int) -> Recording:
        call = self.leg.call
        recording = Recording(
            sid=new_sid("RE"),
            call_sid=call.parent_call_sid or call.sid,
            account_sid=call.account_sid,
            source=source,
            channels=channels,
            started_at=self.exchange.scheduler.now(),
        )
        self.exchange.keep_recording(recording)
        self._tell_recording(verb, recording)
        return recording

    def stop_recording(
        self, verb: twiml.Verb, recording: Recording, *, absent: bool = False
    ) -> None:
        """The file is ready a little later than the call goes on."""
        elapsed = self.exchange.scheduler.now() - recording.started_at
        recording.duration_seconds = 0 if absent else int(elapsed.total_seconds() + 0.5)

        def ready() -> None:
            recording.status = "absent" if absent else "completed"
            self.exchange.keep_recording(recording)
            self._tell_recording(verb, recording)

        self.exchange.scheduler.after(RECORDING_READY_SECONDS, ready)

    def _tell_recording(self, verb: twiml.Verb, recording: Recording) -> None:
        events = verb.get("recordingStatusCallbackEvent", "completed").split()
        url = self.absolute(verb.get("recordingStatusCallback"))
        if not url or recording.status not in events:
            return
        params: dict[str, Any] = {
            "AccountSid": recording.account_sid,
            "CallSid": recording.call_sid,
            "RecordingSid": recording.sid,
            "RecordingUrl": self._recording_url(recording),
            "RecordingStatus": recording.status,
            "RecordingDuration": str(recording.duration_seconds),
            "RecordingChannels": str(recording.channels),
            "RecordingStartTime": rfc_2822(recording.started_at),
            "RecordingSource": recording.source,
        }
        method = verb.get("recordingStatusCallbackMethod", "POST")
        self.exchange.tell("recording", self.leg.call, url, params, method)

    def _recording_url(self, recording: Recording) -> str:
        path = f"/2010-04-01/Accounts/{recording.account_sid}/Recordings/{recording.sid}"
        return self.exchange.base_url + path
