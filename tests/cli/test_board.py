"""The state of `top`: figures and keys in, lines and wishes out, with no terminal anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from understudy import ActorInfo, Health, Status
from understudy.cli.board import Board, Wish
from understudy.cli.sheet import plain


def actor(name: str, uid: int, **more: Any) -> ActorInfo:
    up = {"status": Status.RUNNING, "health": Health.HEALTHY, "alive": True, "incarnation": 1}
    return ActorInfo(name, uid, **{**up, **more})


CAST = (
    actor("ada", 1, cpu_percent=5.0, memory_mb=30.0, completed_laps=700, pid=11),
    actor("bob", 2, cpu_percent=90.0, memory_mb=10.0, completed_laps=8, pid=12),
    actor("eve", 3, cpu_percent=20.0, memory_mb=20.0, completed_laps=99, pid=13, status=Status.STARTING),
)
ENDED = ActorInfo("zoe", 4, status=Status.CRASHED, health=Health.FAILED)


@pytest.fixture
def board():
    made = Board("theatre")
    made.show({info.name: info for info in (*CAST, ENDED)}, now=100.0)
    return made


def screen(board, width=120, height=20, now=100.0):
    return [plain(line) for line in board.lines(width, height, now)]


def order(board):
    return [line.split()[0] for line in screen(board)[3:-1]]


def chosen(board):
    """The row that is shown reversed."""
    rows = board.lines(120, 20, 100.0)[3:-1]
    return [plain(row).split()[0] for row in rows if any("reverse" in style for _, style in row)]


def test_a_key_sorts_and_r_turns_the_order_around(board):
    for key, names in (
        ("n", ["ada", "bob", "eve"]),
        ("c", ["bob", "eve", "ada"]),
        ("m", ["ada", "eve", "bob"]),
        ("l", ["ada", "eve", "bob"]),
        ("s", ["eve", "ada", "bob"]),
    ):
        assert board.press(key) is None
        assert order(board) == names
        board.press("r")
        assert order(board) == (names[::-1] if key != "s" else ["ada", "bob", "eve"])
        board.press(key)
        assert order(board) == names, "chosen anew it begins as it does"


def test_the_summary_counts_the_living_and_adds_up_their_figures(board):
    assert screen(board)[0] == "theatre  3 living  cpu 115 %  memory 60.0 MiB"


def test_the_unhealthy_are_counted_in_the_summary(board):
    ill = ActorInfo("ada", 1, status=Status.RUNNING, health=Health.UNRESPONSIVE, alive=True)
    board.show({"ada": ill}, now=101.0)
    assert screen(board)[0].endswith("1 not healthy")


def test_the_ended_are_shown_when_they_are_asked_for(board):
    assert order(board) == ["ada", "bob", "eve"]
    board.press("a")
    assert order(board) == ["ada", "bob", "eve", "zoe"]
    board.press("a")
    assert order(board) == ["ada", "bob", "eve"]


def test_arrows_choose_and_stay_within_the_rows(board):
    assert chosen(board) == ["ada"]
    for key, name in (
        ("down", "bob"),
        ("down", "eve"),
        ("down", "eve"),
        ("home", "ada"),
        ("up", "ada"),
        ("end", "eve"),
    ):
        board.press(key)
        assert chosen(board) == [name], key


def test_whoever_is_chosen_stays_so_when_the_order_changes(board):
    screen(board)
    board.press("down")
    board.press("c")
    assert chosen(board) == ["bob"]
    assert order(board)[0] == "bob"


def test_when_the_chosen_one_ends_the_next_in_its_place_is_chosen(board):
    screen(board)
    board.press("down")
    board.show({info.name: info for info in CAST if info.name != "bob"}, now=101.0)
    assert chosen(board) == ["eve"]


def test_a_deed_is_for_the_chosen_one(board):
    screen(board)
    board.press("down")
    for key, verb in (("S", "stop"), ("R", "restart"), ("i", "inspect"), ("enter", "inspect")):
        assert board.press(key) == Wish(verb, "bob")


def test_a_kill_is_asked_about_first_and_only_y_does_it(board):
    screen(board)
    for no in ("n", "q", "enter", "escape", "K"):
        assert board.press("K") is None
        assert screen(board)[-1] == "kill ada and all that it started? y/n"
        assert board.press(no) is None
        assert screen(board)[-1] == "nothing was killed"
        assert not board.is_over
    board.press("K")
    assert board.press("y") == Wish("kill", "ada")


def test_the_question_is_about_whoever_was_chosen_when_it_was_asked(board):
    screen(board)
    board.press("K")
    board.show({info.name: info for info in CAST if info.name != "ada"}, now=101.0)
    screen(board)
    assert board.press("y") == Wish("kill", "ada")


def test_with_nobody_there_a_deed_says_so(board):
    board.show({}, now=101.0)
    assert screen(board)[3] == "(no actors)"
    assert board.press("S") is None
    assert screen(board)[-1] == "there is no actor to choose"


def test_before_the_first_figures_it_does_not_say_that_there_is_nobody():
    shown = screen(Board("theatre"))
    assert shown[0] == "theatre  not heard of yet"
    assert "(no actors)" not in shown
    assert not any("0" in line for line in shown)


def test_q_and_escape_end_it(board):
    for key in ("q", "escape"):
        other = Board("theatre")
        other.press(key)
        assert other.is_over
    assert not board.is_over


def test_inspected_pages_scroll_and_q_leads_back_to_the_table(board):
    board.inspect("ada", [[(f"line {number}", "")] for number in range(40)])
    shown = screen(board, height=12)
    assert shown[0].startswith("ada  lines 1-10 of 40")
    assert shown[1:11] == [f"line {number}" for number in range(10)]
    board.press("down")
    assert screen(board, height=12)[1] == "line 1"
    board.press("end")
    assert screen(board, height=12)[-2] == "line 39"
    board.press("up")
    assert screen(board, height=12)[-2] == "line 38", "it does not scroll beyond its end"
    assert board.press("S") is None, "no deed is done from here"
    board.press("q")
    assert not board.is_over
    assert screen(board)[0].startswith("theatre")


def test_a_filter_is_told_and_leaves_out_the_others():
    board = Board("theatre", ["a*", "eve"])
    board.show({info.name: info for info in CAST}, now=1.0)
    assert order(board) == ["ada", "eve"]
    assert screen(board)[0].endswith("only a* eve")


def test_no_screen_is_too_small(board):
    sizes = [(width, height) for width in (1, 5, 20, 40, 80, 200) for height in (1, 2, 3, 4, 5, 6, 24)]
    for width, height in sizes:
        assert len(board.lines(width, height, 100.0)) <= height
    board.inspect("ada", [[("text", "")]] * 50)
    for width, height in sizes:
        assert len(board.lines(width, height, 100.0)) <= height


def test_columns_that_have_no_room_are_left_out_the_least_dear_first(board):
    wide, narrow = screen(board, width=200)[2], screen(board, width=30)[2]
    assert {"name", "status", "cpu", "memory", "note", "pid"} <= set(wide.split())
    assert narrow.split() == ["name", "status"]
    for width in range(24, 200):
        assert all(len(line) <= width for line in screen(board, width=width)[2:-1])


def test_more_rows_than_lines_follow_the_chosen_one():
    board = Board("theatre")
    many = {f"actor-{n:02}": actor(f"actor-{n:02}", n) for n in range(30)}
    board.show(many, now=1.0)
    screen(board, height=14)
    board.press("end")
    shown = screen(board, height=14)
    assert shown[-2].startswith("actor-29")
    assert len(shown) == 14
    board.press("page up")
    assert chosen_of(board, 14) == "actor-19"
    board.press("home")
    assert screen(board, height=14)[3].startswith("actor-00")


def chosen_of(board, height):
    rows = board.lines(120, height, 1.0)[3:-1]
    return next(plain(row).split()[0] for row in rows if any("reverse" in style for _, style in row))


def test_sparklines_show_the_last_minute_of_each_actor():
    board = Board("theatre", ascii_only=True)
    for second in range(120):
        info = actor("ada", 1, cpu_percent=float(second), memory_mb=10.0)
        board.show({"ada": info}, now=float(second))
    row = screen(board, width=200, now=119.0)[3]
    cpu = row.partition("119 %")[2].split()[0]
    assert len(cpu) == 12
    assert cpu[-1] == "#"
    assert sorted(cpu, key="_.-=+*%#".index) == list(cpu), "it rose all the time"
    assert row.partition("10.0 MiB")[2].split()[0] == "_" * 12


def test_numbers_in_names_are_sorted_as_numbers():
    board = Board("theatre")
    names = ["sorter/1", "sorter/2", "sorter/10", "sorter/10b", "stage", "1", "2/x", "10"]
    board.show({name: actor(name, uid) for uid, name in enumerate(names)}, now=1.0)
    assert order(board) == ["1", "2/x", "10", "sorter/1", "sorter/2", "sorter/10", "sorter/10b", "stage"]


def test_how_to_leave_is_told_on_any_width(board):
    for width in (6, 40, 60, 200):
        told = screen(board, width=width)[1]
        assert told.startswith("q quit")
        assert len(told) <= max(width, 6)
    assert screen(board, width=200)[1].endswith("r reverse")


def test_a_system_that_does_not_answer_is_told_until_it_does(board):
    board.miss(95.0)
    assert "no answer for 5.0 s" in screen(board)[0]
    board.miss(None)
    assert "no answer" not in screen(board)[0]
    board.miss(95.0)
    board.show({info.name: info for info in CAST}, now=101.0)
    assert "no answer" not in screen(board)[0]


@pytest.mark.requirement("A6")
def test_children_stand_below_and_to_the_right_of_who_spawned_them(board):
    family = (
        actor("ada/kid/10", 6, depth=3, parent="ada/kid"),
        actor("ada/kid", 5, depth=2, parent="ada"),
        actor("ada-2", 8),
        actor("ada/kid/9", 7, depth=3, parent="ada/kid"),
    )
    board.show({info.name: info for info in (*CAST, *family)}, now=101.0)
    board.press("n")
    rows = [line.rpartition("RUNNING")[0] or line.rpartition("STARTING")[0] for line in screen(board)[3:-1]]
    assert [row.rstrip() for row in rows] == [
        "ada", "  ada/kid", "    ada/kid/9", "    ada/kid/10", "ada-2", "bob", "eve",
    ]  # fmt: skip
