"""What zygotes are to learn, and when."""

from __future__ import annotations

from understudy.spawners.curriculum import Curriculum

HERE, THERE = b"here", b"there"


def test_nothing_wanted_is_never_due():
    plan = Curriculum()
    assert plan.due() is None
    assert plan.lesson(set(), 5.0) == []


def test_what_was_wanted_is_taught_at_once_and_in_the_order_of_its_imports():
    plan = Curriculum()
    plan.want(HERE, ["app", "json", "app.jobs"])
    assert plan.due() == 0.0
    assert plan.lesson({"json"}, 5.0) == ["app", "app.jobs"]


def test_what_is_known_by_now_is_wanted_no_more():
    plan = Curriculum()
    plan.want(HERE, ["app"])
    assert plan.lesson({"app"}, 5.0) == []
    assert plan.due() is None


def test_after_a_lesson_it_rests_ten_times_as_long():
    plan = Curriculum()
    plan.learned(0.5, 100.0, fruitful=True)
    plan.want(HERE, ["app"])
    assert plan.due() == 105.0
    assert plan.lesson(set(), 104.9) == []
    assert plan.lesson(set(), 105.0) == ["app"]


def test_lessons_that_undo_each_other_come_ever_more_rarely():
    plan = Curriculum()
    rests = []
    for _ in range(20):
        plan.learned(1.0, 0.0, fruitful=False)
        plan.want(HERE, ["app"])
        rests.append(plan.due())
    assert rests[:3] == [20.0, 40.0, 80.0]
    assert rests[-1] == 300.0
    plan.learned(1.0, 0.0, fruitful=True)
    assert plan.due() == 10.0


def test_another_place_is_another_wish():
    plan = Curriculum()
    plan.want(HERE, ["app"])
    plan.want(THERE, ["web"])
    assert (plan.place, plan.lesson(set(), 0.0)) == (THERE, ["web"])


def test_a_refused_package_is_never_taught_again_and_its_neighbours_are():
    plan = Curriculum()
    plan.want(HERE, ["app", "app.jobs", "apple", "numpy.core"])
    plan.failed({"app": "its import leaves a thread"}, 0.1, 0.0)
    assert plan.lesson(set(), 1.0) == ["apple", "numpy.core"]
    plan.want(HERE, ["app.more"])
    assert plan.lesson(set(), 1.0) == ["apple", "numpy.core"]


def test_a_lesson_has_an_end_however_much_is_wanted():
    plan = Curriculum()
    plan.want(HERE, [f"m{n}" for n in range(10_000)])
    assert len(plan.lesson(set(), 0.0)) == 500
