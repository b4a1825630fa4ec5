"""From words to masks through time, on the classical models: detection, tracking, looking again,
caching, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from tools.masks.area import mask_box, mask_iou
from tools.masks.request import Wanted, parse_detections, request_of
from tools.types import ContractError
from tools.vision.backends import build_backend
from tools.vision.cache import MaskCache
from tools.vision.classical import ClassicalTracker
from tools.vision.colour_words import ColourWords
from tools.vision.config import VisionConfig
from tools.vision.grabcut import GrabCutSegmenter
from tools.vision.pipeline import Backend, Options, both_ways, find, masks_for, select
from tools.vision.roles import Detection, Prompt, Seed
from tools.vision.weights import WeightsError, WeightStore

CLASSICAL = Backend(ColourWords(), ClassicalTracker(), GrabCutSegmenter())


class Told:
    """A detector that says what it is told: frame -> detections; counts how often it was asked."""

    identity = "told"

    def __init__(self, answers: Mapping[int, Sequence[Detection]]):
        self.answers, self.asked = answers, []

    def detect(self, frames, at, words):
        self.asked += list(at)
        return tuple(tuple(d for d in self.answers.get(t, ()) if d.name in words) for t in at)


def boxed(name, mask, score=0.9):
    return Detection(name, name, mask_box(mask), score)


# --------------------------------------------------------------------------------------------------


def test_words_become_masks_in_every_frame(cart_and_pole):
    request = parse_detections('DETECTIONS = {"cart": "the black cart", "pole": "the brown pole"}')
    answer = masks_for(cart_and_pole.frames, request, CLASSICAL)
    for name, truth in cart_and_pole.masks.items():
        assert min(mask_iou(a, b) for a, b in zip(answer.masks[name], truth, strict=True)) > 0.95
    assert (
        answer.report["objects"]["cart"]["found"]
        and answer.report["models"]["detector"] == "colour-words-1"
    )


def test_a_fixed_line_of_its_own_colour_does_not_cut_an_object(cart_and_pole):
    frames = cart_and_pole.frames.copy()
    line = np.zeros(frames.shape[:3], bool)
    line[:, 69:71] = True
    frames[line & ~cart_and_pole.masks["pole"]] = (12, 12, 12)
    answer = masks_for(frames, request_of({"cart": "the black cart"}), CLASSICAL)
    assert (
        min(
            mask_iou(a, b)
            for a, b in zip(answer.masks["cart"], cart_and_pole.masks["cart"], strict=True)
        )
        > 0.9
    )


def test_what_is_not_there_is_not_found_and_that_is_no_error(cart_and_pole):
    answer = masks_for(
        cart_and_pole.frames,
        request_of({"cart": "the black cart", "bird": "a green bird", "thing": "the thing"}),
        CLASSICAL,
    )
    assert not answer.masks["bird"].any() and not answer.confidence["bird"].any()
    assert answer.report["objects"]["bird"] == {"found": False} == answer.report["objects"]["thing"]
    assert answer.masks["cart"].any()


def test_several_of_a_kind_only_when_asked_for(late_ball):
    two = np.stack([f | np.roll(f, -35, axis=1) for f in late_ball.masks["cart"]])
    frames = late_ball.frames.copy()
    frames[two] = (12, 12, 12)
    one = masks_for(frames, request_of({"cart": "black cart"}), CLASSICAL)
    assert one.names == ("cart",)
    both = masks_for(frames, request_of({"cart": ("black cart", 2)}), CLASSICAL)
    assert both.names == ("cart_0", "cart_1")
    assert all(both.masks[n].any(axis=(1, 2)).all() for n in both.names)
    assert not (both.masks["cart_0"] & both.masks["cart_1"]).any()


def test_one_object_is_not_given_to_two_names():
    box, other = (10.0, 10.0, 30.0, 30.0), (50.0, 10.0, 70.0, 30.0)
    found = [
        Detection("cart", "c", box, 0.8),
        Detection("pole", "p", box, 0.9),
        Detection("cart", "c", other, 0.5),
        Detection("cart", "c", box, 0.2),
    ]
    chosen = select(found, [Wanted("cart", "c"), Wanted("pole", "p")], Options())
    assert chosen["pole"].box == box and chosen["cart"].box == other
    assert "cart" not in select(
        found, [Wanted("cart", "c"), Wanted("pole", "p")], Options(score=0.6)
    )


def test_boxes_become_masks_by_the_segmenter(cart_and_pole):
    detector = Told(
        {
            0: [
                boxed("cart", cart_and_pole.masks["cart"][0]),
                boxed("pole", cart_and_pole.masks["pole"][0]),
            ]
        }
    )
    found = find(
        cart_and_pole.frames,
        [Wanted("cart", "c"), Wanted("pole", "p")],
        Backend(detector, ClassicalTracker(), GrabCutSegmenter()),
        Options(),
    )
    for name, (seed, _) in found.items():
        assert mask_iou(seed.mask, cart_and_pole.masks[name][0]) > 0.8
    with pytest.raises(ContractError, match="a segmenter for a detector that finds boxes"):
        find(
            cart_and_pole.frames,
            [Wanted("cart", "c")],
            Backend(detector, ClassicalTracker()),
            Options(),
        )


def test_keyframes_are_looked_at_only_until_everything_is_found(cart_and_pole):
    masks = cart_and_pole.masks
    detector = Told(
        {
            0: [boxed("cart", masks["cart"][0])],
            6: [boxed("pole", masks["pole"][6])],
            9: [boxed("pole", masks["pole"][9])],
        }
    )
    found = find(
        cart_and_pole.frames,
        [Wanted("cart", "c"), Wanted("pole", "p")],
        Backend(detector, ClassicalTracker(), GrabCutSegmenter()),
        Options(),
    )
    assert detector.asked == [0, 3, 6]
    assert found["cart"][0].frame == 0 and found["pole"][0].frame == 6


# --------------------------------------------------------------------------------------------------


def test_an_object_is_followed_through_occlusion(hidden_ball):
    tracks = ClassicalTracker().track(
        hidden_ball.frames, [Seed("ball", 0, hidden_ball.masks["ball"][0])]
    )
    truth = hidden_ball.masks["ball"]
    visible = truth.sum(axis=(1, 2)) > 20
    assert min(mask_iou(tracks.masks["ball"][t], truth[t]) for t in np.flatnonzero(visible)) > 0.8
    hidden = ~truth.any(axis=(1, 2))
    assert (
        hidden.any()
        and not tracks.masks["ball"][hidden].any()
        and not tracks.confidence["ball"][hidden].any()
    )


def test_an_object_that_appears_late_is_found_and_followed_both_ways(late_ball):
    request = request_of({"cart": "the black cart", "ball": "the red ball"})
    answer = masks_for(late_ball.frames, request, CLASSICAL, Options(keyframes=3))
    truth = late_ball.masks["ball"]
    found_at = answer.report["objects"]["ball"]["frame"]
    assert found_at > 10
    before = [t for t in range(found_at) if truth[t].sum() > 40]
    assert before and min(mask_iou(answer.masks["ball"][t], truth[t]) for t in before) > 0.8
    assert not answer.masks["ball"][~truth.any(axis=(1, 2))].any()


def test_two_objects_of_one_colour_keep_their_names():
    frames = np.full((20, 60, 100, 3), 240, np.uint8)
    masks = {"a": np.zeros(frames.shape[:3], bool), "b": np.zeros(frames.shape[:3], bool)}
    for t in range(20):
        masks["a"][t, 10:20, 5 + 4 * t : 15 + 4 * t] = True
        masks["b"][t, 40:50, 85 - 4 * t : 95 - 4 * t] = True
        frames[t][masks["a"][t] | masks["b"][t]] = (20, 120, 60)
    tracks = ClassicalTracker().track(frames, [Seed(n, 0, m[0]) for n, m in masks.items()])
    for name, truth in masks.items():
        assert np.array_equal(tracks.masks[name], truth)


class Forgetful(ClassicalTracker):
    """Loses everything between frames 5 and 12 unless a seed puts it back."""

    identity = "forgetful"

    def track(self, frames, seeds, progress=lambda *a: None):
        tracks = super().track(frames, seeds, progress)
        for name, mask in tracks.masks.items():
            start = min(
                (s.frame for s in seeds if s.name == name and 5 <= s.frame <= 12), default=13
            )
            mask[5:start] = False
        return tracks


def test_a_lost_object_is_looked_for_again(cart_and_pole):
    backend = Backend(ColourWords(), Forgetful(), None)
    answer = masks_for(cart_and_pole.frames, request_of({"cart": "black cart"}), backend)
    assert answer.report["objects"]["cart"]["seen_again"] == [12]
    assert answer.masks["cart"][12].any() and not answer.masks["cart"][8].any()


def test_tracking_back_does_not_take_pixels_from_others(late_ball):
    masks = late_ball.masks
    tracks = both_ways(
        ClassicalTracker(),
        late_ball.frames,
        [Seed("cart", 0, masks["cart"][0]), Seed("ball", 20, masks["ball"][20])],
    )
    assert not (tracks.masks["cart"] & tracks.masks["ball"]).any()
    assert tracks.seen("ball")[14:].all()


# --------------------------------------------------------------------------------------------------


def test_the_same_question_is_answered_from_the_cache(cart_and_pole, tmp_path):
    detector = Told({0: [boxed("cart", cart_and_pole.masks["cart"][0])]})
    backend, cache = Backend(detector, ClassicalTracker(), GrabCutSegmenter()), MaskCache(tmp_path)
    request = request_of({"cart": "black cart"})
    first = masks_for(cart_and_pole.frames, request, backend, cache=cache)
    again = masks_for(cart_and_pole.frames.copy(), request, backend, cache=cache)
    assert detector.asked == [0]
    assert np.array_equal(first.masks["cart"], again.masks["cart"]) and first.report == again.report
    assert np.array_equal(first.confidence["cart"], again.confidence["cart"])


@pytest.mark.parametrize("change", ["pixel", "words", "model", "options"])
def test_another_question_is_not(cart_and_pole, tmp_path, change):
    masks, frames = cart_and_pole.masks, cart_and_pole.frames.copy()
    detector = Told({0: [boxed("cart", masks["cart"][0])]})
    cache = MaskCache(tmp_path)
    masks_for(
        frames,
        request_of({"cart": "black cart"}),
        Backend(detector, ClassicalTracker(), GrabCutSegmenter()),
        cache=cache,
    )
    frames[3, 0, 0, 0] ^= change == "pixel"
    other = Told(detector.answers)
    other.identity = "other" if change == "model" else "told"
    request = request_of({"cart": "dark cart" if change == "words" else "black cart"})
    masks_for(
        frames,
        request,
        Backend(other, ClassicalTracker(), GrabCutSegmenter()),
        Options(score=0.2 if change == "options" else 0.3),
        cache,
    )
    assert other.asked == [0]


def test_a_damaged_entry_is_computed_again(cart_and_pole, tmp_path):
    request, cache = request_of({"cart": "black cart"}), MaskCache(tmp_path)
    first = masks_for(cart_and_pole.frames, request, CLASSICAL, cache=cache)
    (entry,) = tmp_path.glob("*.npz")
    entry.write_bytes(entry.read_bytes()[:100])
    again = masks_for(cart_and_pole.frames, request, CLASSICAL, cache=cache)
    assert np.array_equal(first.masks["cart"], again.masks["cart"])
    assert cache.get(again.report["key"]) is not None


def test_the_cache_stays_within_its_limit(cart_and_pole, tmp_path):
    cache = MaskCache(tmp_path, limit=4000)
    for words in ("black cart", "black thing", "black car", "black box"):
        masks_for(cart_and_pole.frames, request_of({"cart": words}), CLASSICAL, cache=cache)
    sizes = [path.stat().st_size for path in tmp_path.glob("*.npz")]
    assert 1 <= len(sizes) < 4 and sum(sizes) <= max(4000, max(sizes))


def test_masks_that_would_not_fit_are_refused_before_any_work(cart_and_pole):
    with pytest.raises(ContractError, match="use fewer names, fewer frames or smaller pictures"):
        masks_for(
            cart_and_pole.frames,
            request_of({"cart": "black cart"}),
            CLASSICAL,
            Options(memory=1 << 16),
        )


# --------------------------------------------------------------------------------------------------


def test_without_weights_the_classical_models_answer_and_say_why(tmp_path):
    backend, reasons = build_backend(VisionConfig(), WeightStore(tmp_path))
    assert backend.identity == {
        "detector": "colour-words-1",
        "segmenter": "grabcut-1",
        "tracker": "classical-1",
    }
    assert len(reasons) == 2 and all("because" in reason for reason in reasons)


def test_a_model_asked_for_by_name_must_be_there(tmp_path):
    pytest.importorskip("torch", reason="learned perception: pip install '.[vision]'")
    with pytest.raises(WeightsError, match="run-agent weights get sam-vit-b"):
        build_backend(VisionConfig(segmenter="sam-vit-b"), WeightStore(tmp_path))
    with pytest.raises(WeightsError, match="git clone"):
        build_backend(VisionConfig(tracker="xmem"), WeightStore(tmp_path))
    with pytest.raises(
        ValueError,
        match=r"tracker: expected auto or one of classical, sam2\.1-hiera-tiny, xmem, got 'sort'",
    ):
        build_backend(VisionConfig(tracker="sort"), WeightStore(tmp_path))


def test_a_region_is_segmented_from_a_point(cart_and_pole):
    frame, masks = cart_and_pole.frames[0], cart_and_pole.masks
    ys, xs = np.nonzero(masks["pole"][0])
    segment = GrabCutSegmenter().segment(
        frame, [Prompt(points=((float(xs[5]), float(ys[5])),), labels=(1,))]
    )[0]
    assert np.array_equal(segment.mask, masks["pole"][0])
    found = GrabCutSegmenter().everything(frame)
    assert max(mask_iou(s.mask, masks["cart"][0]) for s in found) > 0.9 and found[0].score == 1.0
