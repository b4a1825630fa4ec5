"""Trees of bodies, where what is nothing is passed over, against the same sums done in full."""

import numpy as np
import pytest

from tools.physics import multibody, tree
from tools.physics.tree import Link, accelerations, bounced, collided, placed

RNG = np.random.default_rng(5)


def cradle(batch):
    length, pivots = 60.0 * batch, (100.0, 140.0, 180.0, 220.0)
    return tuple(
        Link(f"bob_{k}", "hinge", None, (x, 50.0), centre=(length, 0.0), com=(length, 0.0))
        for k, x in enumerate(pivots)
    )


def mixed(batch):
    return (
        Link("cart", "slide", None, (10.0, 90.0), (0.8, 0.6), mass=2.0 * batch),
        Link(
            "pole", "hinge", "cart", (0.0, 5.0), centre=(20.0, 0.0), com=(25.0, 1.0), inertia=90.0
        ),
        Link("bead", "slide", "pole", (3.0, 0.0), (1.0, 0.0), turn=0.2, mass=0.3),
        Link("tip", "weld", "bead", (4.0 * batch, 2.0), turn=0.4, com=(1.0, 0.0), inertia=3.0),
        Link("bob", "hinge", None, (60.0, 20.0), centre=(40.0, 0.0), com=(35.0, 0.0), inertia=70.0),
        Link("disk", "free", None, mass=1.5, inertia=40.0),
    )


def in_full(patch):
    """Nothing is passed over, and every frame is worked out."""
    for module in (tree, multibody):
        patch.setattr(module, "nothing", lambda _: False)
    patch.setattr(tree, "_carrying", lambda links, _: links)


def everything(links, q, v, pair):
    def loads(at):
        pull = {name: (0.1 * m.vx, 300.0 - m.vy, 0.2) for name, m in at.items()}
        return pull, {name: -9.0 * m.s for name, m in at.items() if links[0].name == name}

    hit = collided(links, q, v, *pair, 70.0, 0.8)
    wall = bounced(links, q, v, pair[0], (0.0, -1.0), -60.0, 0.7)
    return accelerations(links, q, v, loads), *hit, *wall, *placed(links, q, v).values()


@pytest.mark.parametrize("size", [None, 7])
@pytest.mark.parametrize(
    ("system", "pair"), [(cradle, ("bob_1", "bob_2")), (mixed, ("tip", "bob"))]
)
def test_what_is_nothing_may_be_passed_over(system, pair, size, monkeypatch):
    count = sum(link.coordinates for link in system(1.0))
    for _ in range(20):
        shape = (count,) if size is None else (count, size)
        q, v = RNG.uniform(-1.5, 1.5, shape), RNG.uniform(-4.0, 4.0, shape)
        links = system(1.0 if size is None else RNG.uniform(0.9, 1.1, size))
        found = everything(links, tuple(q), tuple(v), pair)
        with monkeypatch.context() as patch:
            in_full(patch)
            right = everything(links, tuple(q), tuple(v), pair)
        for a, b in zip(found, right, strict=True):
            for one, other in zip(a, b, strict=True):
                if other is not None:
                    np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
