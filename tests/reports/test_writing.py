import json
import os
from pathlib import Path

import pytest

import reports.writing
from reports.files import atomically, put_folder, write_text_atomically
from reports.writing import write_report


def names(directory):
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*"))


def test_a_report_is_its_page_its_figures_and_its_numbers(report, tmp_path):
    directory = tmp_path / "new" / "folder"
    written = write_report(report, directory)
    assert set(written) == {"json", "markdown", "html", "forecasts", "history", "loss_curves"}
    assert names(directory) == [
        "figures", "figures/forecasts.png", "figures/history.png", "figures/loss_curves.png",
        "report.html", "report.json", "report.md",
    ]  # fmt: skip
    assert json.loads(written["json"].read_text())["study"] == "etth1-ot"
    page = written["markdown"].read_text()
    assert all(f"](figures/{name}.png)" in page for name in ("forecasts", "history"))


def test_plots_are_real_images_of_a_readable_size(report, tmp_path):
    written = write_report(report, tmp_path)
    for name in ("forecasts", "history", "loss_curves"):
        content = written[name].read_bytes()
        assert content.startswith(b"\x89PNG")
        assert int.from_bytes(content[16:20], "big") == 1600
        assert len(content) > 20_000


def write_half(path, error):
    with atomically(path) as temporary:
        temporary.write_text("half")
        raise error


def test_a_writer_that_raises_leaves_the_old_file_whole_and_nothing_beside_it(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="disk full"):
        write_half(path, RuntimeError("disk full"))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["report.json"]


def test_an_interruption_leaves_nothing_behind_either(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "plot.png", KeyboardInterrupt())
    assert names(tmp_path) == []


def test_the_temporary_file_is_in_the_same_folder_with_the_same_suffix(tmp_path):
    with atomically(tmp_path / "plot.png") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        assert temporary.name != "plot.png"
        temporary.write_text("whole")
        assert not (tmp_path / "plot.png").exists()
    assert names(tmp_path) == ["plot.png"]


def test_text_replaces_what_was_there_as_utf_8(tmp_path):
    path = tmp_path / "report.md"
    path.write_text("a much longer text than the new one")
    write_text_atomically(path, "R² 23 %")
    assert path.read_bytes() == "R² 23 %".encode()
    assert names(tmp_path) == ["report.md"]


def test_a_failing_figure_leaves_the_earlier_report_whole(report, tmp_path, monkeypatch):
    write_report(report, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path) if "." in name}

    class Broken:
        def savefig(self, path, **_):
            path.write_bytes(b"half")
            raise OSError("disk full")

    monkeypatch.setattr(reports.writing, "draw_figures", lambda _: {"forecasts": Broken()})
    with pytest.raises(OSError, match="disk full"):
        write_report(report, tmp_path)
    after = {name: (tmp_path / name).read_bytes() for name in names(tmp_path) if "." in name}
    assert after == before


def test_folders_are_exchanged_without_a_moment_when_there_is_none(tmp_path, monkeypatch):
    place, rename = tmp_path / "bundle", os.rename

    def folder(number: int) -> Path:
        made = tmp_path / f"new_{number}"
        made.mkdir()
        (made / "number").write_text(str(number))
        return made

    def watched(old: Path, new: Path) -> None:
        rename(old, new)
        assert place.exists()

    monkeypatch.setattr(os, "rename", watched)
    for number in range(3):
        put_folder(folder(number), place)
        assert (place / "number").read_text() == str(number)
    assert names(tmp_path) == ["bundle", "bundle/number"]
