"""The Merkle tree: RFC 6962's reference tree, a second implementation, and forgeries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from second_opinion import second_opinion

from checker.optout.tree import (
    EMPTY_ROOT,
    ENTRIES,
    MemoryTree,
    Tile,
    bundles_of,
    consistency_proof,
    has_tile,
    inclusion_proof,
    leaf_hash,
    nodes_of_tiles,
    parse_tile_path,
    root,
    tile_bytes,
    tiles_of,
    verify_consistency,
    verify_inclusion,
    write_bundle,
)

# The reference tree of the Certificate Transparency project (merkletree tests of google/certificate-transparency),
# leaves in hex and the root of each prefix.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"


def grown(leaves: list[bytes]) -> MemoryTree:
    tree = MemoryTree()
    for leaf in leaves:
        tree.append(leaf)
    return tree


def numbered(size: int) -> list[bytes]:
    return [index.to_bytes(4) * 8 for index in range(size)]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_reference_tree(size: int) -> None:
    tree = grown(LEAVES)
    assert grown(LEAVES[:size]).root().hex() == ROOTS[size]
    assert root(size, tree.nodes).hex() == ROOTS[size]


@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [
        (0, 1, []),
        (0, 8, [A, B, C]),
        (5, 8, [D, E, ROOTS[4]]),
        (2, 3, [ROOTS[2]]),
        (1, 5, [ROOTS[1], B, D]),
    ],
)
def test_inclusion_proofs_are_those_of_the_reference_tree(index: int, size: int, proof: list[str]) -> None:
    steps = inclusion_proof(index, size, grown(LEAVES).nodes)
    assert [step.hex() for step in steps] == proof
    assert verify_inclusion(index, size, leaf_hash(LEAVES[index]), steps, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(
    ("old", "new", "proof"),
    [(1, 1, []), (1, 8, [A, B, C]), (6, 8, [F, E, ROOTS[4]]), (2, 5, [B, D]), (0, 8, []), (8, 8, [])],
)
def test_consistency_proofs_are_those_of_the_reference_tree(old: int, new: int, proof: list[str]) -> None:
    steps = consistency_proof(old, new, grown(LEAVES).nodes)
    assert [step.hex() for step in steps] == proof
    assert verify_consistency(old, new, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new]), steps)


@given(st.integers(1, 600).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
def test_proofs_equal_those_of_another_implementation(case: tuple[int, int]) -> None:
    size, index = case
    leaves = numbered(size)
    tree, other = grown(leaves), second_opinion("tree").MerkleTree(leaves)
    assert tree.root() == other.root()
    assert list(inclusion_proof(index, size, tree.nodes)) == other.inclusion_proof(index)
    assert list(consistency_proof(index + 1, size, tree.nodes)) == other.consistency_proof(index + 1)


@given(
    st.integers(2, 200).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))),
    st.data(),
)
def test_true_inclusion_is_accepted_and_forged_inclusion_is_not(case: tuple[int, int], data: st.DataObject) -> None:
    size, index = case
    tree = grown(numbered(size))
    hashed, proof, top = leaf_hash(numbered(size)[index]), list(inclusion_proof(index, size, tree.nodes)), tree.root()
    assert verify_inclusion(index, size, hashed, proof, top)
    assert not verify_inclusion((index + 1) % size, size, hashed, proof, top)
    assert not verify_inclusion(index, size, hashed, [*proof, top], top)
    assert not verify_inclusion(index, size, hashed, proof[:-1], top)
    assert not verify_inclusion(index, size, leaf_hash(b"another"), proof, top)
    assert not verify_inclusion(size, size, hashed, proof, top)
    assert not verify_inclusion(-1, size, hashed, proof, top)
    step, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    proof[step] = (int.from_bytes(proof[step]) ^ 1 << bit).to_bytes(32)
    assert not verify_inclusion(index, size, hashed, proof, top)


@given(
    st.integers(2, 200).flatmap(lambda size: st.tuples(st.just(size), st.integers(1, size - 1))),
    st.data(),
)
def test_true_growth_is_accepted_and_a_fork_is_not(case: tuple[int, int], data: st.DataObject) -> None:
    size, old = case
    leaves = numbered(size)
    tree = grown(leaves)
    old_root, top, proof = root(old, tree.nodes), tree.root(), consistency_proof(old, size, tree.nodes)
    assert verify_consistency(old, size, old_root, top, proof)
    changed = data.draw(st.integers(0, old - 1))
    forked = grown([*leaves[:changed], b"another", *leaves[changed + 1 :]])
    assert not verify_consistency(old, size, root(old, forked.nodes), top, proof)
    assert not verify_consistency(old, size, old_root, forked.root(), consistency_proof(old, size, forked.nodes))
    assert not verify_consistency(old, size, old_root, top, proof[:-1])
    assert not verify_consistency(old, size, old_root, top, [*proof, top])
    assert not verify_consistency(size, old, top, old_root, proof)


def test_what_an_empty_tree_proves_is_its_own_root_alone() -> None:
    assert verify_consistency(0, 5, EMPTY_ROOT, bytes(32), [])
    assert not verify_consistency(0, 5, bytes(32), bytes(32), [])
    assert not verify_consistency(3, 3, bytes(32), EMPTY_ROOT, [])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_there_is_no_proof_for_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError):
        inclusion_proof(index, size, grown(numbered(5)).nodes)


def test_a_tree_does_not_grow_out_of_a_larger_one() -> None:
    with pytest.raises(ValueError):
        consistency_proof(4, 3, grown(numbered(5)).nodes)


# --- tiles -----------------------------------------------------------------------------------------------------


# C2SP tlog-tiles, "Merkle Tree": "index 1234067 will be encoded as x001/x234/067".
@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1234067, 256), "tile/0/x001/x234/067"),
        (Tile(63, 0, 1), "tile/63/000.p/1"),
        (Tile(ENTRIES, 999, 255), "tile/entries/999.p/255"),
        (Tile(1, 1000, 256), "tile/1/x001/000"),
    ],
)
def test_tile_paths_are_those_of_tlog_tiles(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_tile_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/64/000",
        "tile/00/000",
        "tile/0/0",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/../000",
        "tile/0/000\n",
        "tile/data/000",
        "",
    ],
)
def test_other_spellings_of_a_path_are_none(path: str) -> None:
    assert parse_tile_path(path) is None


# C2SP tlog-tiles, "Partial Tiles": "a tree of size 70,000 will be represented by 273 full level 0 tiles, one partial
# level 0 tile of width 112, one full level 1 tile, one partial level 1 tile of width 17, and one partial level 2 tile
# of width 1"; "a tree of size 256 will be represented by a full level 0 tile and a partial level 1 tile of width 1".
def test_the_tiles_of_a_tree_are_those_of_the_specification() -> None:
    tiles = list(tiles_of(70_000))
    assert tiles[:273] == [Tile(0, index, 256) for index in range(273)]
    assert tiles[273:] == [Tile(0, 273, 112), Tile(1, 0, 256), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(tiles_of(256)) == [Tile(0, 0, 256), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


def test_only_what_is_new_or_grew_is_fetched() -> None:
    assert list(tiles_of(520, known=300)) == [Tile(0, 1, 256), Tile(0, 2, 8), Tile(1, 0, 2)]
    assert list(bundles_of(520, known=300)) == [Tile(ENTRIES, 1, 256), Tile(ENTRIES, 2, 8)]
    assert list(tiles_of(520, known=520)) == []
    assert all(has_tile(tile, 520) for tile in tiles_of(520))
    assert not has_tile(Tile(0, 2, 9), 520)
    assert not has_tile(Tile(1, 0, 3), 520)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1500])
def test_tiles_and_bundles_equal_those_of_another_implementation(size: int) -> None:
    leaves = numbered(size)
    tree = grown(leaves)
    made = {tile.path: tile_bytes(tile, tree.nodes) for tile in tiles_of(size)}
    for bundle in bundles_of(size):
        made[bundle.path] = write_bundle(leaves[bundle.index * 256 : bundle.index * 256 + bundle.width])
    assert made == second_opinion("tiles").TileWriter(leaves).materialise()


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700])
def test_a_follower_finds_root_and_proofs_in_the_tiles(size: int) -> None:
    tree = grown(numbered(size))
    tiles = {(tile.level, tile.index): tile_bytes(tile, tree.nodes) for tile in tiles_of(size)}
    nodes = nodes_of_tiles(lambda level, index: tiles[level, index])
    assert root(size, nodes) == tree.root()
    assert inclusion_proof(size // 2, size, nodes) == inclusion_proof(size // 2, size, tree.nodes)
