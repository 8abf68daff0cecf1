"""Opening bundles: what is whole opens and runs, and nothing else does."""

import functools
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reports.bundle import Bundle, BundleError, load_bundle
from reports.bundle.checksums import write_checksums
from reports.bundle.metadata import SCHEMA, read_metadata
from tests.bundles import METADATA, expected, kernel, linear_model, write_bundle

MakeBundle = Callable[..., Path]


@pytest.fixture
def make_bundle(tmp_path: Path) -> MakeBundle:
    """Write a bundle; keywords replace its model and parts of its metadata."""
    return functools.partial(write_bundle, tmp_path / "bundle")


def tampered(folder: Path) -> Path:
    path = folder / "model.onnx"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    return folder


def check_runs(bundle: Bundle) -> None:
    windows = np.arange(24, dtype=np.float32).reshape(3, 4, 2)
    found = bundle.run(windows)
    assert list(found) == ["forecast"]
    np.testing.assert_allclose(found["forecast"], expected(windows), rtol=1e-5)


def test_metadata_survives_being_written_and_read() -> None:
    assert read_metadata(METADATA.as_json(), "here") == METADATA


def test_folder_opens_and_runs(make_bundle: MakeBundle) -> None:
    bundle = load_bundle(make_bundle())
    assert bundle.metadata == METADATA
    check_runs(bundle)


@pytest.mark.parametrize("top", ["", "bundle"])
@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_archive_opens_and_runs(
    make_bundle: MakeBundle, tmp_path: Path, suffix: str, top: str
) -> None:
    folder, path = make_bundle(), tmp_path / f"bundle{suffix}"
    names = {file: str(Path(top) / file.name) for file in folder.iterdir()}
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file, name in names.items():
                archive.write(file, name)
    else:
        with tarfile.open(path, "w:gz") as archive:
            for file, name in names.items():
                archive.add(file, name)
    check_runs(load_bundle(path))


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:\\evil"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archive_with_a_member_outside_is_refused(
    make_bundle: MakeBundle, tmp_path: Path, kind: str, name: str
) -> None:
    folder, path = make_bundle(), tmp_path / f"evil.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, file.name)
            archive.writestr(name, b"evil")
    else:
        with tarfile.open(path, "w") as tar:
            tar.add(folder, ".")
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"evil"))
    with pytest.raises(BundleError, match="leaves the bundle's folder"):
        load_bundle(path)
    assert not (tmp_path / "evil").exists()


def test_links_in_archives_are_refused(make_bundle: MakeBundle, tmp_path: Path) -> None:
    folder = make_bundle()
    (folder / "link").symlink_to("/etc/passwd")
    with tarfile.open(tmp_path / "linked.tar.gz", "w:gz") as tar:
        tar.add(folder, ".")
    with pytest.raises(BundleError, match="link"):
        load_bundle(tmp_path / "linked.tar.gz")
    entry = zipfile.ZipInfo("link")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "linked.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(BundleError, match="link"):
        load_bundle(tmp_path / "linked.zip")


def test_archive_that_unpacks_to_too_much_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar"
    member = tarfile.TarInfo("metadata.json")
    member.size = 3 * 2**30
    path.write_bytes(member.tobuf())
    os.truncate(path, 512 + member.size + 1024)  # a sparse file: no byte of it is on the disk
    with pytest.raises(BundleError, match=r"3\.0 GiB"):
        load_bundle(path)


def test_a_folder_that_is_no_bundle_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "other").open("wb") as file:
        file.truncate(3 * 2**30)  # a hole, which takes no room
    with pytest.raises(BundleError, match=r"has no metadata\.json: it is not a bundle"):
        load_bundle(tmp_path)


def test_changed_missing_and_unlisted_files_are_refused(make_bundle: MakeBundle) -> None:
    folder = tampered(make_bundle())
    with pytest.raises(BundleError, match=r"model\.onnx was changed"):
        load_bundle(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"model\.onnx is missing"):
        load_bundle(folder)
    (folder / "model.onnx").write_bytes(linear_model(kernel()))
    (folder / "more.py").write_text("import os")
    with pytest.raises(BundleError, match=r"more\.py is not listed"):
        load_bundle(folder)
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(BundleError, match="has no SHA256SUMS"):
        load_bundle(folder)


def test_checksums_are_those_of_sha256sum(make_bundle: MakeBundle) -> None:
    subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=make_bundle(), check=True
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": SCHEMA + 1}, f"has schema {SCHEMA + 1}, and this version reads {SCHEMA}"),
        ({"horizon": "many"}, "horizon"),
        ({"task": "dreams"}, "task"),
        ({"columns": None}, "columns"),
    ],
)
def test_metadata_that_cannot_be_is_refused_in_one_line(
    make_bundle: MakeBundle, change: dict[str, object], message: str
) -> None:
    folder = make_bundle()
    content = {**json.loads(METADATA.as_json()), **change}
    (folder / "metadata.json").write_text(json.dumps(content))
    write_checksums(folder)
    with pytest.raises(BundleError, match=message) as raised:
        load_bundle(folder)
    assert "\n" not in str(raised.value)


def test_unknown_keys_of_metadata_are_ignored() -> None:
    content = {**json.loads(METADATA.as_json()), "added_later": 1}
    assert read_metadata(json.dumps(content), "here") == METADATA


def test_model_with_other_names_is_refused(make_bundle: MakeBundle) -> None:
    with pytest.raises(BundleError, match=r"maps \['x'\]"):
        load_bundle(make_bundle(model=linear_model(kernel(), "x")))


def test_files_that_are_no_model_or_no_bundle_are_refused(
    make_bundle: MakeBundle, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=r"model\.onnx cannot be run"):
        load_bundle(make_bundle(model=b"not a model"))
    with pytest.raises(BundleError, match="no such bundle"):
        load_bundle(tmp_path / "absent")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(BundleError, match="neither the folder"):
        load_bundle(tmp_path / "text")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=r"no metadata\.json"):
        load_bundle(tmp_path / "empty")


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        (np.zeros((4, 2)), r"shape \(batch, 4, 2\)"),
        (np.zeros((1, 5, 2)), r"Received: \(1, 5, 2\)"),
        (np.full((2, 4, 2), np.nan), r"finite .* nan at \(0, 0, 0\)"),
        (np.full((1, 4, 2), 1e39), "finite in float32"),
    ],
)
def test_windows_that_the_model_cannot_take_are_refused(
    make_bundle: MakeBundle, windows: np.ndarray, message: str
) -> None:
    bundle = load_bundle(make_bundle())
    with pytest.raises(BundleError, match=message):
        bundle.run(windows)


def test_loading_imports_neither_tensorflow_nor_optuna_nor_pandas(make_bundle: MakeBundle) -> None:
    code = (
        "import sys; from reports.bundle import load_bundle; load_bundle(sys.argv[1]); "
        "print([m for m in ('tensorflow', 'keras', 'optuna', 'pandas') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(make_bundle())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
