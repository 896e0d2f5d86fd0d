"""Verdicts of readers: nothing is lost, overwritten, cut or turned into a formula."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medsym.errors import OutputError
from medsym.screening.review_table import review_table
from medsym.screening.reviews import (
    MAX_COMMENT,
    MAX_FILE_BYTES,
    REVIEWS,
    Verdict,
    add_verdict,
    read_reviews,
    reader_file,
)


def said(reader: str = "Anna", verdict: str = "accept", **about: object) -> Verdict:
    words = {"case": "sub-01_T1w", "finding": None, "comment": "", **about}
    return Verdict(reader=reader, verdict=verdict, **words)  # type: ignore[arg-type]


def line_of(**about: object) -> bytes:
    """A line of Anna's file; "HUGE" is a number that none can hold."""
    line = {"reader": "Anna", "case": "sub-1", "finding": None, "verdict": "accept", **about}
    return json.dumps(line).replace('"HUGE"', "1e999").encode("ascii")


def test_a_verdict_comes_back_as_it_was_given(tmp_path: Path) -> None:
    given = said(finding=2, comment="seen\n\ttwice \u00fc", record_sha256="ab" * 32)
    kept = add_verdict(tmp_path, given)
    assert read_reviews(tmp_path).verdicts == (kept,)
    assert kept.time
    assert (kept.comment, kept.finding) == (given.comment, 2)


def test_files_only_grow_and_the_last_word_counts(tmp_path: Path) -> None:
    add_verdict(tmp_path, said(verdict="accept"))
    path = reader_file(tmp_path, "Anna")
    before = path.read_bytes()
    add_verdict(tmp_path, said(verdict="reject"))
    add_verdict(tmp_path, said(verdict="unsure", finding=1))
    assert path.read_bytes().startswith(before)
    assert len(path.read_bytes().splitlines()) == 3
    latest = {verdict.finding: verdict.verdict for verdict in read_reviews(tmp_path).verdicts}
    assert latest == {None: "reject", 1: "unsure"}


def test_a_late_word_on_an_earlier_record_replaces_none_on_the_present_one(tmp_path: Path) -> None:
    for seal, verdict in [("new", "accept"), ("old", "reject"), ("new", "unsure")]:
        add_verdict(tmp_path, said(verdict=verdict, record_sha256=seal))
    found = [(word.record_sha256, word.verdict) for word in read_reviews(tmp_path).verdicts]
    assert found == [("old", "reject"), ("new", "unsure")]


@pytest.mark.parametrize(
    ("one", "other"),
    [("Anna", "Ben"), ("a b", "ab"), ("M\u00fcller", "Muller"), ("../x", "x"), ("a.b", "a b")],
)
def test_readers_never_share_a_file(tmp_path: Path, one: str, other: str) -> None:
    add_verdict(tmp_path, said(one, "accept"))
    add_verdict(tmp_path, said(other, "reject"))
    assert reader_file(tmp_path, one) != reader_file(tmp_path, other)
    found = {verdict.reader: verdict.verdict for verdict in read_reviews(tmp_path).verdicts}
    assert found == {one: "accept", other: "reject"}


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/root", "con", "a\\b:c*?", ".", "\u5c71\u7530", "x" * 80]
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    add_verdict(tmp_path, said(name))
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert path.parent == tmp_path / REVIEWS
    assert path.name.isascii()
    assert path.name.startswith("reader-")
    assert [verdict.reader for verdict in read_reviews(tmp_path).verdicts] == [name]


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\x00b", "a\u202eb"])
def test_what_is_no_name_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="MS-650"):
        add_verdict(tmp_path, said(name))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("about", [{"verdict": "maybe"}, {"comment": "x" * (MAX_COMMENT + 1)}])
def test_unknown_words_and_endless_comments_are_refused(
    tmp_path: Path, about: dict[str, str]
) -> None:
    with pytest.raises(OutputError, match="MS-652"):
        add_verdict(tmp_path, said(**about))
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_a_crash_cut_short_costs_itself_only(tmp_path: Path) -> None:
    add_verdict(tmp_path, said(case="sub-01"))
    add_verdict(tmp_path, said(case="sub-02"))
    path = reader_file(tmp_path, "Anna")
    path.write_bytes(path.read_bytes()[:-9])
    torn = read_reviews(tmp_path)
    assert [verdict.case for verdict in torn.verdicts] == ["sub-01"]
    assert torn.unreadable == 1
    add_verdict(tmp_path, said(case="sub-03"))
    assert [verdict.case for verdict in read_reviews(tmp_path).verdicts] == ["sub-01", "sub-03"]


@pytest.mark.parametrize(
    "line",
    [
        *(b"\xff\xfe", b"[]", b"null", b'{"case": 1}', b'{"finding": "x", "verdict": "accept"}'),
        *(b'{"reader": "", "case": "c", "finding": null, "verdict": "accept"}', b"[" * 100_000),
        *(line_of(finding="HUGE"), line_of(peak_mm=["HUGE"]), line_of(comment="\ud800")),
        *(line_of(comment="x" * (MAX_COMMENT + 1)), line_of(case="x" * (MAX_COMMENT + 1))),
        line_of(reader="Ben"),
    ],
)
def test_a_line_that_is_no_verdict_is_counted_and_skipped(tmp_path: Path, line: bytes) -> None:
    add_verdict(tmp_path, said())
    with reader_file(tmp_path, "Anna").open("ab") as stream:
        stream.write(line + b"\n")
    found = read_reviews(tmp_path)
    assert (len(found.verdicts), found.unreadable) == (1, 1)


def test_nobody_speaks_in_the_name_of_another(tmp_path: Path) -> None:
    kept = add_verdict(tmp_path, said("Anna", "reject", case="sub-1"))
    add_verdict(tmp_path, said("Zoe", case="sub-2"))
    with reader_file(tmp_path, "Zoe").open("ab") as stream:
        stream.write(line_of(time="2999-01-01T00:00:00+00:00") + b"\n")
    found = read_reviews(tmp_path)
    assert (found.verdicts[0], found.unreadable) == (kept, 1)
    assert [verdict.reader for verdict in found.verdicts] == ["Anna", "Zoe"]


def test_an_endless_file_costs_itself_only(tmp_path: Path) -> None:
    add_verdict(tmp_path, said("Anna"))
    with reader_file(tmp_path, "Ben").open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES + 1)
    found = read_reviews(tmp_path)
    assert ([verdict.reader for verdict in found.verdicts], found.unreadable) == (["Anna"], 1)


def test_half_a_character_is_refused_before_it_is_kept(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="MS-652"):
        add_verdict(tmp_path, said(comment="\ud800"))
    assert list(tmp_path.iterdir()) == []


def test_many_at_once_lose_no_line(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        given = [said(case=f"sub-{n}", comment="x" * 500) for n in range(80)]
        list(pool.map(lambda verdict: add_verdict(tmp_path, verdict), given))
    found = read_reviews(tmp_path)
    assert len(found.verdicts) == 80
    assert found.unreadable == 0


def test_a_folder_that_cannot_be_written_is_said_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / REVIEWS).write_text("in the way")
    with pytest.raises(OutputError, match=r"MS-651 .*not kept.*Ask for write access"):
        add_verdict(tmp_path, said())
    assert read_reviews(tmp_path).verdicts == ()


def test_a_link_is_neither_read_nor_written(tmp_path: Path) -> None:
    outside = tmp_path / "outside.jsonl"
    add_verdict(tmp_path, said())
    reader_file(tmp_path, "Anna").rename(outside)
    reader_file(tmp_path, "Anna").symlink_to(outside)
    before = outside.read_bytes()
    assert read_reviews(tmp_path).verdicts == ()
    with pytest.raises(OutputError, match="MS-651"):
        add_verdict(tmp_path, said())
    assert outside.read_bytes() == before


def test_the_table_is_one_line_per_word_and_holds_no_formula(tmp_path: Path) -> None:
    add_verdict(tmp_path, said("=Anna", comment="=HYPERLINK(1)\n+2\t@x"))
    peak = (-42.0, 1.5, 3.0)
    add_verdict(tmp_path, said("Ben", "reject", finding=1, side="left", peak_mm=peak))
    table = review_table(
        read_reviews(tmp_path).verdicts, is_present=lambda word: word.reader == "Ben"
    )
    header, *lines = table.splitlines()
    rows = [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]
    assert [row["finding"] for row in rows] == ["n/a", "1"]
    assert [row["reader"] for row in rows] == ["'=Anna", "Ben"]
    assert [row["results"] for row in rows] == ["earlier", "present"]
    assert rows[0]["comment"] == "'=HYPERLINK(1) +2 @x"
    assert (rows[1]["side"], rows[1]["peak_x_mm"]) == ("left", "-42")
    line = json.loads(reader_file(tmp_path, "=Anna").read_text())
    assert line["comment"] == "=HYPERLINK(1)\n+2\t@x"
