"""docker-compose.yml and the Dockerfile name commands, variables and files of ours: each has to exist."""

import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import pytest
import typer.core
import typer.main
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import BusyLoadingError
from redis.retry import Retry

from pagefleet.cli.app import app

ROOT = Path(__file__).parents[2]


class Service(msgspec.Struct, frozen=True):
    """The part of a compose service that refers to this repository."""

    build: str | None = None
    entrypoint: list[str] = []
    command: list[str] = []
    environment: dict[str, str] = {}
    volumes: list[str] = []
    ports: list[str] = []

    def mounts(self) -> dict[str, str]:
        """Container path -> source, which is a path beside the compose file or the name of a volume."""
        return {target: source for source, target, *_ in (volume.split(":") for volume in self.volumes)}


class Compose(msgspec.Struct, frozen=True):
    services: dict[str, Service]
    volumes: dict[str, None]


COMPOSE = msgspec.yaml.decode((ROOT / "docker-compose.yml").read_bytes(), type=Compose)
OURS = {name: service for name, service in COMPOSE.services.items() if service.build}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def dockerfile(instruction: str) -> list[str]:
    """Arguments of each such instruction, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^{instruction} +(.*)$", text, flags=re.MULTILINE)


def copied() -> set[str]:
    """What the Dockerfile copies from this repository."""
    copies = [line.split() for line in dockerfile("COPY") if not line.startswith("--from")]
    return {source for *sources, _ in copies for source in sources}


def test_the_services_are_what_a_fleet_is_made_of() -> None:
    assert set(COMPOSE.services) == {"redis", "scheduler", "worker"}
    assert set(OURS) == {"scheduler", "worker"}


@pytest.mark.parametrize("name", OURS)
def test_the_command_line_knows_command_and_variables(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = OURS[name]
    for variable, value in service.environment.items():
        monkeypatch.setenv(variable, value)
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    subcommand = group.commands[service.command[0]]
    context = subcommand.make_context(service.command[0], service.command[1:])
    from_environment = {
        variable
        for parameter in subcommand.params
        for variable in ([parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or [])
        if (source := context.get_parameter_source(parameter.name or "")) and source.name == "ENVIRONMENT"
    }
    assert from_environment >= set(service.environment)


def test_every_mount_has_a_source() -> None:
    for service in COMPOSE.services.values():
        for source in service.mounts().values():
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE.volumes


def test_only_this_machine_reaches_what_is_published() -> None:
    ports = [port for service in COMPOSE.services.values() for port in service.ports]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_workers_can_be_scaled() -> None:
    assert not COMPOSE.services["worker"].ports, "a second worker could not have the same port"


def test_dockerfile_runs_a_script_of_the_project() -> None:
    (entrypoint,) = dockerfile("ENTRYPOINT")
    assert msgspec.json.decode(entrypoint, type=tuple[str])[0] in PROJECT["project"]["scripts"]


def test_dockerfile_asks_for_extras_that_exist() -> None:
    extras = re.findall(r"--extra (\S+)", " ".join(dockerfile("RUN")))
    assert extras
    assert set(extras) <= set(PROJECT["project"]["optional-dependencies"])


def test_dockerfile_copies_files_that_exist_and_are_sent() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert all((ROOT / source).exists() for source in copied())
    assert copied() <= sent


def test_dockerfile_copies_all_that_the_build_needs() -> None:
    project, wheel = PROJECT["project"], PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    named = {project["readme"]} if "readme" in project else set[str]()
    assert {"pyproject.toml", "requirements.lock", *project["license-files"]} | named <= copied()
    assert {PurePosixPath(package).parts[0] for package in wheel["packages"]} <= copied()


def test_dockerfile_sets_only_variables_of_python_and_uv() -> None:
    names = {pair.split("=")[0] for line in dockerfile("ENV") for pair in line.split()}
    assert all(name.startswith(("PYTHON", "UV_")) or name in {"PATH", "VIRTUAL_ENV"} for name in names)


needs_redis = pytest.mark.skipif(
    not (shutil.which("redis-server") and shutil.which("redis-check-aof")),
    reason="needs redis-server and redis-check-aof on PATH",
)


@pytest.fixture
def folder() -> Generator[Path]:
    """A folder with a short name: the path of a unix socket has room for about 100 characters."""
    with tempfile.TemporaryDirectory(prefix="compose-") as name:
        yield Path(name)


@contextmanager
def started(folder: Path) -> Generator[Redis]:
    """The compose file's Redis, started by its own entrypoint on the data in `folder`."""
    service = COMPOSE.services["redis"]
    shell, script = service.entrypoint
    (on_host,) = [
        ROOT / source / PurePosixPath(script).relative_to(target)
        for target, source in service.mounts().items()
        if PurePosixPath(script).is_relative_to(target)
    ]
    command = [shell, str(on_host), *service.command, "--port", "0", "--unixsocket", "socket"]
    # An activated environment puts the wheel's Redis first, which has no redis-check-aof and another file.
    path = str(Path(shutil.which("redis-check-aof") or "").parent)
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, env={"PATH": f"{path}:/usr/bin:/bin"})
    # The first connection waits until the socket is there and the data is loaded.
    client = Redis(
        unix_socket_path=str(folder / "socket"),
        decode_responses=True,
        retry=Retry(ConstantBackoff(0.02), 500),
        retry_on_error=[FileNotFoundError, ConnectionRefusedError, BusyLoadingError],
    )
    try:
        client.ping()
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(timeout=30)


def push(client: Redis, *values: str) -> None:
    """One transaction with a command for each value, as a commit script leaves in the append-only file."""
    with client.pipeline(transaction=True) as pipeline:
        for value in values:
            pipeline.rpush("documents", value)
        pipeline.execute()


@needs_redis
def test_redis_starts_with_the_settings_that_the_promises_rest_on(folder: Path) -> None:
    with started(folder) as client:
        settings = msgspec.convert(client.config_get(), dict[str, str])
    expected = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "stream-node-max-bytes": "65536",
    }
    assert {name: settings[name] for name in expected} == expected


@pytest.mark.invariant("C-6")
@needs_redis
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_torn_commit_never_runs(folder: Path, share: float) -> None:
    with started(folder) as client:
        push(client, "whole")
        push(client, "torn 1", "torn 2", "torn 3")
    (log,) = (folder / "appendonlydir").glob("*.incr.aof")
    written = log.read_bytes()
    commit = written.rindex(b"MULTI")
    log.write_bytes(written[: commit + int(share * (len(written) - commit))])

    with started(folder) as client:
        assert client.lrange("documents", 0, -1) == ["whole"]
        push(client, "next")
    with started(folder) as client:  # the second start is the one at which Redis alone runs what was torn
        assert client.lrange("documents", 0, -1) == ["whole", "next"]
