"""Peers of the benchmarks run where their libraries are, which is not here: this only keeps their list true."""

from pathlib import Path

import pytest

from benchmarks import peers

FOLDER = Path(peers.__file__).parent


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.title)
def test_a_peer_has_a_program_and_requirements(peer: peers.Peer) -> None:
    assert (FOLDER / f"{peer.program.split()[0]}.py").is_file()
    assert (FOLDER / f"{peer.environment}.txt").is_file()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_what_is_installed_is_pinned(path: Path) -> None:
    assert all("==" in line for line in path.read_text().split())
    assert path.stem in {peer.environment for peer in peers.PEERS}
