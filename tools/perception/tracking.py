"""From frames to tracks: find the parts of a scene, or follow declared ones, with sub-pixel poses.

Pieces of like colour, and textured things taken whole, are linked over time; a look is measured for
each, and every frame's poses are refined by analysis by synthesis with the parts drawn over each
other in depth order. What is missing is filled in from its neighbours in time, forwards and
backwards, as far as the picture confirms it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tools.perception.again import Earlier
from tools.perception.anchoring import anchored
from tools.perception.clip import Clip
from tools.perception.discovery import find_seeds
from tools.perception.following import first_look, first_poses
from tools.perception.layout import Layout, depth, hiding
from tools.perception.linking import Chain
from tools.perception.matching import cleared, declared_seeds
from tools.perception.parts import Part, Track
from tools.perception.refining import fill_gaps, reconsider, refine, refit_looks, sharpen, unwind
from tools.perception.repeats import stalled
from tools.perception.resting import resting_likes, with_pieces, without_pieces
from tools.perception.seeds import Seed
from tools.perception.shutter import shuttered
from tools.perception.uncovering import moves, uncover
from tools.types import ContractError, Shutter

WRONG = 8
"""Pixels of the plate that may be wrong before everything is looked at again."""

LOOKS = 4
"""Times that a clip is looked at, at most."""


@dataclass(frozen=True)
class Tracks:
    """Everything seen in one video. tracks: back to front. front: bool (H, W), fixed structures of
    the plate that hide parts passing behind them. light: (T, 3) factors by which each frame is
    brighter than the plate. shutter: of the camera, None for one that does not show."""

    plate: np.ndarray
    noise: float
    tracks: tuple[Track, ...]
    front: np.ndarray
    light: np.ndarray | None = None
    shutter: Shutter | None = None

    def __getitem__(self, name: str) -> Track:
        """The track of the part of that name (ContractError where there is none)."""
        for track in self.tracks:
            if track.name == name:
                return track
        known = ", ".join(track.name for track in self.tracks) or "no part"
        raise ContractError("a track", f"a part that was found ({known})", repr(name))


def discover(
    frames: np.ndarray, plate: np.ndarray | None = None, noise: float | None = None
) -> Tracks:
    """Find and follow every part of a scene, knowing nothing: frames (T, H, W, 3) uint8 -> Tracks.

    Parts are named by shape and order of first sighting: ``disk_1``, ``box_1``, ``sprite_1`` ...
    """
    clip = Clip.of(frames, plate, noise)
    return _look_again(clip, find_seeds(clip), find_seeds)


def track(
    frames: np.ndarray,
    parts: Sequence[Part],
    plate: np.ndarray | None = None,
    noise: float | None = None,
) -> Tracks:
    """Follow declared parts through a clip: frames (T, H, W, 3) uint8 -> Tracks with the parts' own
    names.

    A part that rests all the time has a track too, if the plate shows it; one that is not found has
    none. Of several chains of one colour each part takes the one nearest to its ``near`` (or the
    largest).
    """
    clip = Clip.of(frames, plate, noise)
    seeds = declared_seeds(clip, parts)
    resting = resting_likes(clip, seeds, parts)
    moving = [part for part in parts if not any(part is seed.part for seed in resting)]
    if resting:
        seeds = declared_seeds(clip, moving)
    found = [seed.part for seed in seeds]
    missing = [part for part in moving if part not in found]
    without = cleared(clip, missing) if missing else clip.plate
    if without is not clip.plate:
        clip = Clip.of(frames, without, clip.noise)
        seeds = declared_seeds(clip, moving)
    if resting:
        shown = clip.plate
        clip = Clip.of(frames, without_pieces(shown, resting), clip.noise)

    def sought(clip: Clip, others: bool = False) -> list[Seed]:
        """Those that move, over a plate that shows what rests; and what rests."""
        plate = with_pieces(clip.plate, shown, resting) if resting else clip.plate
        return [*declared_seeds(replace(clip, plate=plate), moving, others), *resting]

    return _look_again(clip, [*seeds, *resting], sought, lambda clip: sought(clip, others=True))


def follow(
    frames: np.ndarray,
    plate: np.ndarray,
    noise: float,
    chains: Sequence[tuple[np.ndarray | None, Chain]],
    parts: Sequence[Part] | None = None,
) -> Tracks:
    """Sub-pixel poses of parts whose regions are linked already: (colour (3,), or None for a
    sprite; its chain) per part.

    parts: one per chain, for names and shapes; None names them by shape. A part without a pose in
    any frame is left out.
    """
    clip = Clip.of(frames, plate, noise)
    named: Sequence[Part | None] = parts or [None] * len(chains)
    return _finished(
        solved(
            clip,
            [
                Seed(colour, chain, part)
                for (colour, chain), part in zip(chains, named, strict=True)
            ],
        ),
        clip.plate,
    )


def _look_again(
    clip: Clip,
    seeds: Sequence[Seed],
    seeds_of: Callable[[Clip], list[Seed]],
    more_of: Callable[[Clip], list[Seed]] | None = None,
) -> Tracks:
    """Solve; as long as the parts found show that the plate was wrong, solve again over the better
    one, ``LOOKS`` times at most: where a thing covers itself in every frame, each plate shows a
    little more of what lies behind it. seeds: of the clip as it is; seeds_of: over a better plate;
    more_of: further pieces among them, that tell a plate."""
    layout = solved(clip, seeds)
    found = uncover(layout)
    for _ in range(LOOKS - 1):
        if found.wrong <= WRONG:
            break
        more = more_of(clip) if more_of is not None else []
        if len(more) > len(layout.appearances):
            found = uncover(solved(clip, more))
        earlier, clip = Earlier(layout, seeds), Clip.of(clip.frames, found.plate, clip.noise)
        seeds = seeds_of(clip)
        layout = solved(clip, seeds, earlier)
        found = uncover(layout)
    return _finished(layout, found.plate)


def solved(clip: Clip, seeds: Sequence[Seed], earlier: Earlier | None = None) -> Layout:
    """Looks and poses of all seeds together. earlier: how they were solved over another plate; what
    is far from where it differs stays, unless what lies beside it has changed."""
    layout = _begun(clip, seeds, earlier)
    layout.order = depth(layout)
    layout.front, kept = hiding(layout), layout.settled
    if earlier is not None and earlier.hides_elsewhere(layout.front):
        layout.settled = frozenset()
    refine(layout, margin=4.0)
    fill_gaps(layout)
    unwind(layout)
    layout.order = depth(layout)
    if earlier is not None:
        layout.settled = earlier.undisturbed(layout, layout.settled)
    if refit_looks(layout) or layout.settled != kept:
        refine(layout, margin=1.5)
    reconsider(layout)
    sharpen(layout)
    return layout


def _begun(clip: Clip, seeds: Sequence[Seed], earlier: Earlier | None) -> Layout:
    """First looks and poses of all seeds; those that were found before and are untouched are
    settled."""
    kept = {} if earlier is None else earlier.untouched(clip, seeds)
    appearances, poses = [], []
    for i, seed in enumerate(seeds):
        if earlier is not None and i in kept:
            appearances.append(earlier.layout.appearances[kept[i]])
            poses.append(earlier.layout.poses[kept[i]].copy())
        else:
            appearance, start, reference = first_look(clip, seed)
            appearances.append(appearance)
            poses.append(first_poses(clip, seed, appearance, start, reference))
    layout = Layout(clip, appearances, poses, [seed.part for seed in seeds])
    if earlier is not None:
        for i, k in kept.items():
            layout.spreads[i] = earlier.layout.spreads[k].copy()
            layout.errors[i] = earlier.layout.errors[k].copy()
    layout.settled = frozenset(kept)
    return layout


def _finished(layout: Layout, plate: np.ndarray) -> Tracks:
    names, tracks = _names(layout), []
    again = stalled(layout.clip.frames, [poses[:, :2] for poses in layout.poses])
    for poses in layout.poses:
        poses[again] = np.nan
    for k in layout.order:
        seen = layout.seen(k)
        if len(seen) and (layout.parts[k] is not None or moves(layout, k)):
            spread = np.median(layout.spreads[k][seen], axis=0)
            noise = np.where(np.isfinite(spread), np.maximum(spread, 1e-3), 1e-3)
            tracks.append(
                Track(
                    names[k],
                    *anchored(layout.appearances[k], layout.poses[k]),
                    noise,
                    layout.errors[k],
                    layout.spreads[k],
                )
            )
    front = layout.front
    hidden = np.zeros(layout.clip.shape, bool) if front is None else front
    found, shutter = shuttered(layout.clip.frames, plate, tracks)
    return Tracks(plate, layout.clip.noise, found, hidden, layout.clip.light, shutter)


def _names(layout: Layout) -> list[str]:
    counts: dict[str, int] = {}
    names = []
    for appearance, part in zip(layout.appearances, layout.parts, strict=True):
        counts[appearance.shape] = counts.get(appearance.shape, 0) + 1
        names.append(
            part.name if part is not None else f"{appearance.shape}_{counts[appearance.shape]}"
        )
    return names
