"""The Dockerfile and the systemd unit without their engines: linted, and their commands run as plain ones.

No image is built here. The build stage's last step runs on the program that `make build` left; what it installs then
serves from a folder that holds nothing but what the second stage's packages bring.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

import pytest
from conftest import PROGRAM, ROOT

DOCKERFILE = ROOT / "Dockerfile"
UNIT = ROOT / "deploy/systemd/foretoken.service"


def stages() -> list[list[tuple[str, str]]]:
    """Instructions and their arguments, by stage."""
    found: list[list[tuple[str, str]]] = []
    text = "\n".join(line for line in DOCKERFILE.read_text().splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.strip():
            instruction, arguments = line.split(maxsplit=1)
            if instruction == "FROM":
                found.append([])
            found[-1].append((instruction, arguments))
    return found


def arguments(stage: list[tuple[str, str]], instruction: str) -> list[str]:
    return [value for name, value in stage if name == instruction]


def needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")


def test_the_dockerfile_is_clean():
    needs("hadolint")
    result = subprocess.run(["hadolint", str(DOCKERFILE)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_the_unit_is_sound(tmp_path):
    needs("systemd-analyze")
    # The program need not be installed to look at the unit.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/foretoken", PROGRAM))
    result = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert result.returncode == 0 and "foretoken" not in result.stderr, result.stderr


def libraries(program: str) -> list[pathlib.Path]:
    output = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [pathlib.Path(found) for found in re.findall(r"(/\S+) \(0x", output)]


def closure(packages: list[str]) -> set[str]:
    """These packages and what they depend on, as far as this system has them."""
    known: set[str] = set()
    pending = list(packages)
    while pending:
        name = pending.pop()
        if name in known:
            continue
        known.add(name)
        result = subprocess.run(["dpkg-query", "-W", "-f=${Depends}, ${Pre-Depends}", name], capture_output=True, text=True)
        pending += re.findall(r"(?:^|, |\| )([a-z0-9][a-z0-9+.-]+)", result.stdout)
    return known


def test_the_second_stage_installs_every_library_that_the_program_needs():
    needs("ldd", "dpkg")
    [install] = [line for line in arguments(stages()[1], "RUN") if "apt-get install" in line]
    named = re.search(r"--no-install-recommends (.*?) &&", install)[1].split()
    # What any Debian has, and the C++ library that the Swift runtime of the base image needs.
    brought = closure([*named, "libc6", "libstdc++6", "libgcc-s1", "zlib1g"])
    for library in libraries(PROGRAM):
        if "/swift/" in str(library):
            continue
        owner = subprocess.run(["dpkg", "-S", str(library.resolve())], capture_output=True, text=True)
        if owner.returncode:
            owner = subprocess.run(["dpkg", "-S", str(library)], capture_output=True, text=True)
        package = owner.stdout.split(":")[0]
        assert package in brought, f"{library} comes from {package or 'no package'}, which the image does not have"


@pytest.fixture
def image(tmp_path):
    """A root file system with the program as the first stage installs it, and what it needs to run."""
    needs("ldd", "strip")
    root = tmp_path / "root"
    [build] = [line for line in arguments(stages()[0], "RUN") if "make build" in line]
    made, install = build.split(" && ", 1)
    assert made == "make build" and ".build/release/foretoken" in install
    command = install.replace(".build/release/foretoken", PROGRAM).replace("/out/", f"{tmp_path}/out/")
    subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True, cwd=ROOT)
    [(source, target)] = re.findall(r"--from=build /out/(\S+) (\S+)", " ".join(arguments(stages()[1], "COPY")))
    (root / target.lstrip("/")).parent.mkdir(parents=True)
    shutil.copy(tmp_path / "out" / source, root / target.lstrip("/"))
    for program in ["/bin/bash", "/usr/bin/head", "/bin/grep"]:
        place = root / program.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(program, place)
    for program in [PROGRAM, "/bin/bash", "/usr/bin/head", "/bin/grep"]:
        for library in libraries(program):
            place = root / str(library).lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                shutil.copy(library, place)
    for name in ["dev", "proc", "tmp"]:
        (root / name).mkdir()
    shutil.copytree(ROOT / "Models", root / "models")
    for directory, _, _ in os.walk(root):
        os.chmod(directory, 0o755)
    os.chmod(tmp_path, 0o755)
    return root


def enter(root: pathlib.Path) -> list[str]:
    """How to run a command within `root`: as the image's user where this one may choose, else as the one user there is."""
    needs("unshare")
    [user] = arguments(stages()[1], "USER")
    is_root = os.geteuid() == 0
    namespace = ["unshare", *([] if is_root else ["--user", "--map-root-user"]), "--mount"]
    if subprocess.run([*namespace, "true"], capture_output=True).returncode:
        pytest.skip("needs root, or user namespaces (unshare)")
    # Programs find their arguments in /proc.
    script = 'mount --rbind /proc "$0/proc" && exec chroot $OPTIONS "$0" "$@"'.replace(
        "$OPTIONS", f"--userspec={user}:{user}" if is_root else "")
    return [*namespace, "sh", "-c", script, str(root)]


def test_the_image_s_program_serves_is_healthy_and_stops(image):
    run = stages()[1]
    environment = dict(re.findall(r"(\w+)=(\S+)", " ".join(arguments(run, "ENV"))))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        environment["FORETOKEN_PORT"] = str(free.getsockname()[1])
    environment["PATH"] = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    [entry], [command] = ([json.loads(value) for value in arguments(run, name)] for name in ("ENTRYPOINT", "CMD"))
    [health] = arguments(run, "HEALTHCHECK")
    check = json.loads(re.search(r"CMD (\[.*\])", health)[1])
    # The program's path is looked up within the root.
    program = ["/usr/local/bin/" + entry[0], *entry[1:], *command]
    server = subprocess.Popen([*enter(image), *program], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while (healthy := subprocess.run([*enter(image), *check], env=environment, capture_output=True)).returncode and server.poll() is None:
            assert time.monotonic() < deadline, healthy.stderr
            time.sleep(0.2)
        assert server.poll() is None, server.stderr.read()
        with socket.create_connection(("127.0.0.1", int(environment["FORETOKEN_PORT"]))) as connection:
            connection.sendall(b"GET /v1/models HTTP/1.0\r\n\r\n")
            assert b" 200 " in connection.recv(64)
    finally:
        server.terminate()
        _, log = server.communicate(timeout=60)
    assert server.returncode == 0
    assert all(json.loads(line) for line in log.splitlines())
