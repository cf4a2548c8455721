"""Files are written whole or not at all, through every door that writes one."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from initkit import apply_init, load_recipe, save_recipe
from initkit.cli.targets import read_weights, save_weights
from initkit.errors import FileError
from initkit.files import read_text, replacing, write_text
from initkit.testing import assert_plan

OLD = b"what was there before"
RULES = {"*.weight": "normal(std=0.02)", "*.bias": 0}


def _net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))


WRITERS: dict[str, Callable[[Path], object]] = {
    "init.json": lambda path: apply_init(_net(), RULES, seed=0).save(path),
    "mine.json": lambda path: save_recipe({f"{i}.weight": i for i in range(999)}, path),
    "mine.toml": lambda path: save_recipe({f"{i}.weight": i for i in range(999)}, path),
    "w.pt": lambda path: save_weights(_net(), str(path)),
    "w.safetensors": lambda path: save_weights(_net(), str(path)),
    "plan.txt": lambda path: assert_plan(nn.Sequential(_net(), *_net()), RULES, path, update=True),
    "any.txt": lambda path: write_text(path, "x" * 9999),
}


@contextmanager
def _disk_that_is_full_after(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_file_whole_and_nothing_beside_it(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(OLD)
    with (
        _disk_that_is_full_after(100),
        pytest.raises(Exception, match=f"{name}: cannot|{name} cannot be written"),
    ):
        WRITERS[name](path)
    assert path.read_bytes() == OLD
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", WRITERS)
def test_every_door_flushes_a_file_before_it_moves_it_over_the_old_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.write_bytes(OLD)
    path.chmod(0o640)
    flushed: list[tuple[int, bytes]] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        flushed.append((os.fstat(handle).st_ino, path.read_bytes()))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    WRITERS[name](path)
    new = (path.stat().st_ino, OLD)  # the file that is there now, flushed while the old one stood
    assert flushed[0] == new
    assert path.read_bytes() != OLD
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == [name]


def test_what_stops_the_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.txt", "old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as beside:
        beside.write_text("half of the ne")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_link_stays_a_link_and_its_file_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "a.txt", tmp_path / "a.txt"
    real.parent.mkdir()
    link.symlink_to(real)
    write_text(link, "one")  # of a file that is not there yet
    assert real.read_text() == "one"
    write_text(link, "two")
    assert link.is_symlink()
    assert real.read_text() == "two"
    assert os.listdir(real.parent) == ["a.txt"]


def test_a_new_file_has_the_permissions_that_open_gives(tmp_path: Path) -> None:
    (tmp_path / "by_open.txt").write_text("")
    made = write_text(tmp_path / "by_us.txt", "")
    assert made.stat().st_mode == (tmp_path / "by_open.txt").stat().st_mode


def test_a_file_with_the_longest_name_can_be_written(tmp_path: Path) -> None:
    assert write_text(tmp_path / ("n" * 251 + ".txt"), "x").read_text() == "x"


def test_what_is_no_plain_file_is_written_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "through")
    assert os.read(reader, 99) == b"through"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_protected_file_is_not_replaced(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.txt", "old")
    path.chmod(0o444)
    with pytest.raises(FileError, match="Permission denied"):
        write_text(path, "new")


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("no/a.txt", "x", r"no/a\.txt: cannot be written: .*No such file.*'.*no/a\.txt'"),
        ("a\0.txt", "x", "cannot be written: .*embedded null"),
        ("a.txt", "\ud800", "cannot be written: .*surrogates"),
    ],
)
def test_what_cannot_be_written_is_named_by_the_path_that_was_given(
    path: str, text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(FileError, match=message) as caught:
        write_text(f"{tmp_path}/{path}", text)
    assert caught.value.path == f"{tmp_path}/{path}"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("door", [load_recipe, read_text])
@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("no.toml", r"^there is no file no.toml$"),
        ("gone/no.toml", r"^there is no file gone/no.toml; there is no folder gone$"),
        ("a\0.toml", r"^a\\x00.toml: cannot be read: "),
        ("folder.toml", r"^folder.toml: cannot be read: Is a directory$"),
    ],
)
def test_what_cannot_be_read_is_named(
    door: Callable[[str], object],
    path: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.toml").mkdir()
    with pytest.raises(FileError, match=told):
        door(path)


def test_a_file_that_is_spelt_otherwise_is_told_with_the_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text("")
    with pytest.raises(FileError) as caught:
        read_text(tmp_path / "rules.tml")
    there = str(tmp_path / "rules.toml")
    assert str(caught.value) == f"there is no file {there[:-4]}tml; did you mean {there!r}?"


def test_weights_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    entries = {"a": torch.arange(6.0), "b": torch.ones(2)}
    one, two = tmp_path / "one.pt", tmp_path / "two.pt"
    for path in (one, two):
        save_weights(entries, str(path))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_weights_behind_a_flag_or_a_view_are_saved_as_they_read(name: str, tmp_path: Path) -> None:
    z = torch.tensor([1 + 2j, 3 - 4j])
    entries = {
        "conj": z.conj(),
        "neg": z.clone().conj().imag,
        "t": torch.arange(6.0).view(2, 3).t(),
    }
    save_weights(entries, str(tmp_path / name))
    again = read_weights(str(tmp_path / name))
    assert all(torch.equal(again[key], value) for key, value in entries.items())
