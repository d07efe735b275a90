"""Guessing passwords is stopped, on both databases, one by one and many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor


def test_guessing_is_stopped_for_the_account_even_when_the_right_password_comes(site, clock):
    for _ in range(10):
        assert site.browser().sign_in("clinic", "a wrong guess").status == 401
    stopped = site.browser().sign_in("clinic")
    assert (stopped.status, stopped.json()["code"]) == (429, "too-many-attempts")
    assert site.browser().sign_in("radiologist").status == 200
    clock.pass_(minutes=16)
    assert site.browser().sign_in("clinic").status == 200


def test_guessing_an_unknown_name_is_stopped_alike(site):
    answers = [site.browser().sign_in("nobody", "a wrong guess").status for _ in range(11)]
    assert answers == [401] * 10 + [429]


def test_many_guesses_at_once_do_not_slip_through(site):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: site.browser().sign_in("clinic", "a wrong guess").status, range(16)))
    assert answers.count(401) == 10
    assert answers.count(429) == 6
