"""The lab's repositories: pushed to by path, read over http, the private ones with the password of the moment."""

from __future__ import annotations

import http.client
import os
import stat
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.git import GitServer, Repository, parse_cgi, write_credentials
from lab.mirror import FileServer, Handler
from lab.state import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(checkout=tmp_path)


@pytest.fixture
def address(lab: Lab, tmp_path: Path) -> Iterator[str]:
    """The mirror's own server on loopback, with one file and this lab's repositories."""
    content = tmp_path / "content"
    content.mkdir()
    (content / "file").write_text("served")
    handler = partial(Handler, directory=str(content), git=GitServer(lab.git, lab.git_credentials))
    server = FileServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def git(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    identity = {
        f"GIT_{who}_{what}": "lab@groundwork.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    environment = {**os.environ, **identity, **quiet}
    return subprocess.run(["git", *command], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def push(repository: Repository, work: Path, text: str) -> None:
    if not work.exists():
        git("clone", repository.path, work)
    (work / "app.yaml").write_text(text)
    git("add", ".", cwd=work)
    git("commit", "--message", text, cwd=work)
    assert git("push", "origin", "HEAD:main", cwd=work).returncode == 0


def made(lab: Lab, name: str) -> Repository:
    repository = Repository(lab, name)
    repository.create()
    return repository


def test_what_is_pushed_by_path_is_cloned_over_http(lab: Lab, address: str, tmp_path: Path) -> None:
    repository = made(lab, "platform")
    push(repository, tmp_path / "work", "first")
    assert repository.url(address) == f"http://{address}/git/platform.git"
    assert git("clone", repository.url(address), tmp_path / "clone").returncode == 0
    assert (tmp_path / "clone/app.yaml").read_text() == "first"
    push(repository, tmp_path / "work", "second")
    git("pull", cwd=tmp_path / "clone")
    assert (tmp_path / "clone/app.yaml").read_text() == "second"


def test_a_request_that_comes_in_pieces_is_put_together(lab: Lab, address: str, tmp_path: Path) -> None:
    repository = made(lab, "platform")
    push(repository, tmp_path / "work", "first")
    connection = http.client.HTTPConnection(address)
    kind = {"Content-Type": "application/x-git-upload-pack-request", "Git-Protocol": "version=2"}
    pieces = iter([b"0014command=", b"ls-refs\n", b"0000"])
    connection.request("POST", "/git/platform.git/git-upload-pack", pieces, kind, encode_chunked=True)
    assert b"refs/heads/main" in connection.getresponse().read()
    connection.close()


def test_nobody_pushes_over_http(lab: Lab, address: str, tmp_path: Path) -> None:
    repository = made(lab, "platform")
    push(repository, tmp_path / "work", "first")
    pushed = git("push", repository.url(address), "HEAD:main", cwd=tmp_path / "work")
    assert pushed.returncode != 0
    assert "403" in pushed.stderr


def test_a_private_repository_wants_the_password_that_is_in_the_file_now(
    lab: Lab, address: str, tmp_path: Path
) -> None:
    repository = made(lab, "private/platform")
    push(repository, tmp_path / "work", "first")
    user_and_password = lab.git_credentials.read_text().strip()
    assert stat.S_IMODE(lab.git_credentials.stat().st_mode) == 0o600

    def readable(credentials: str) -> bool:
        url = repository.url(address).replace("://", f"://{credentials}@" if credentials else "://")
        return git("ls-remote", url).returncode == 0

    assert not readable("")
    assert not readable("groundwork:wrong")
    assert readable(user_and_password)
    write_credentials(lab.git_credentials, "groundwork", "rotated")
    assert not readable(user_and_password)
    assert readable("groundwork:rotated")


def test_a_private_repository_hides_behind_no_detour(lab: Lab, address: str) -> None:
    made(lab, "private/platform")
    made(lab, "open")
    for detour in ("./private/platform", "/private/platform", "open.git/../private/platform", "%70rivate/platform"):
        assert git("ls-remote", f"http://{address}/git/{detour}.git").returncode != 0


def test_making_it_again_keeps_what_is_in_it(lab: Lab, tmp_path: Path) -> None:
    repository = made(lab, "private/platform")
    push(repository, tmp_path / "work", "first")
    before = lab.git_credentials.read_text()
    repository.create()
    assert git("log", "--format=%s", "main", cwd=repository.path).stdout == "first\n"
    assert lab.git_credentials.read_text() == before


@pytest.mark.parametrize("name", ["../lab", "a/b", "", "private/", ".hidden", "private/../open"])
def test_a_repository_is_named_without_detours(name: str, lab: Lab) -> None:
    with pytest.raises(LabError, match="cannot name a repository"):
        Repository(lab, name)


def test_other_files_are_served_as_ever(address: str, tmp_path: Path) -> None:
    with urllib.request.urlopen(f"http://{address}/file") as response:
        assert response.read() == b"served"


def test_a_program_that_says_nothing_is_an_error_of_the_server() -> None:
    assert parse_cgi(b"").status == 500
