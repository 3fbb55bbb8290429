"""Parts of the whole product are killed, frozen and emptied under traffic (see `product`)."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
import redis
from product import Product, killed, running, soon, whole

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running(tmp_path_factory.mktemp("faults")) as started:
        yield started


def test_quiet_traffic_is_on_the_books(product: Product) -> None:
    with product.traffic(2):
        pass
    whole(product)


def test_c1_a_killed_web_worker_loses_no_callback(product: Product) -> None:
    with product.traffic(4):
        for _ in range(3):
            killed(product, [product.web_worker()])
            time.sleep(0.5)
    whole(product)


def test_c2_a_killed_settle_worker_loses_and_doubles_no_charge(product: Product) -> None:
    with product.traffic(4):
        for _ in range(2):
            killed(product, product.pids("worker_settle"))
            time.sleep(1)
    whole(product)


def test_c6_an_emptied_redis_loses_nothing(product: Product) -> None:
    with product.traffic(3), redis.Redis.from_url(product.settings.redis_url) as client:
        for _ in range(3):
            client.flushall()
            time.sleep(0.5)
    whole(product)


def test_c8_a_redis_that_dies_again_and_again_loses_nothing(product: Product) -> None:
    with product.traffic(4):
        for _ in range(3):
            killed(product, product.pids("valkey-server"))
            time.sleep(0.5)  # gone for a quarter of a second, then for half a one
            assert soon(lambda: bool(product.pids("valkey-server")), 5)
    whole(product)


def test_c7_with_redis_frozen_calls_go_on_and_are_settled_all_the_same(product: Product) -> None:
    (valkey,) = product.pids("valkey-server")
    os.kill(valkey, signal.SIGSTOP)
    try:
        with product.traffic(3):
            pass
        whole(product)
    finally:
        os.kill(valkey, signal.SIGCONT)


def test_d1_d2_a_database_that_stops_and_one_that_crashes_have_every_cent(
    product: Product,
) -> None:
    with product.traffic(9):
        killed(product, product.pids("bin/postgres -D")[:1], signal.SIGINT)
        time.sleep(3)
        assert soon(lambda: bool(product.pids("bin/postgres -D")), 5)
        killed(product, product.pids("bin/postgres -D")[:1], signal.SIGQUIT)
    whole(product)
