"""What the clock does by itself: plans on their date, and the night's comparison."""

import datetime as dt

from world import FRONT_DESK, ONE_PHONE, START, World

from billing.catalogue import load_catalogue
from gateway.services import plans, publications, reconciling
from workers import settle
from workers.schedule import Clock


def tick(stage: World) -> None:
    """One look of the clock, and whatever it began brought to its end."""
    clock = Clock(stage.tools)
    assert clock.tick()
    for thread in clock._stepping_in.values():
        thread.join(20)
    clock._leave()


def test_a_plan_is_published_by_the_clock_on_its_date(stage: World) -> None:
    document = dict(load_catalogue()["payg"]) | {"description": "From tomorrow on."}
    with stage.units.begin() as uow:
        publications.publish(uow, "payg", document, "olga", from_at=START + dt.timedelta(days=1))

    def version() -> int:
        with stage.units.read() as uow:
            return plans.get_plan(uow, "payg").version

    tick(stage)
    assert version() == 1
    stage.carrier.run_for(86_401)
    tick(stage)
    tick(stage)
    assert version() == 2


def test_m05_the_night_is_compared_by_the_clock_once(stage: World) -> None:
    acme = stage.join("Acme", document=ONE_PHONE)
    stage.person(FRONT_DESK, talks=60)
    stage.call(acme.e164)
    settle.drain(stage.tools)
    tick(stage)
    stage.carrier.run_for(16 * 3600)
    tick(stage)
    with stage.units.read() as uow:
        (run,) = reconciling.overview(uow).runs
        assert (run.day, run.legs_ours, run.legs_theirs) == (START.date(), 2, 2)
        assert reconciling.list_drifts(uow).items == ()
    finished = run.finished_at
    tick(stage)
    with stage.units.read() as uow:
        assert reconciling.overview(uow).runs[0].finished_at == finished is not None
