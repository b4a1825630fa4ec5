"""The real libraries end to end on tiny networks with random weights: shapes, prompts, batching,
memory, precision, errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="learned perception: pip install '.[vision]'")
pytest.importorskip("transformers", reason="learned perception: pip install '.[vision]'")

from tests.vision import models  # noqa: E402
from tools.masks.request import request_of  # noqa: E402
from tools.types import ContractError  # noqa: E402
from tools.vision.backends import build_backend  # noqa: E402
from tools.vision.cache import MaskCache  # noqa: E402
from tools.vision.config import VisionConfig  # noqa: E402
from tools.vision.extra import CPU, Device, choose_device  # noqa: E402
from tools.vision.grounding_dino import GroundingDino, _image_processor  # noqa: E402
from tools.vision.pipeline import Backend, Options, masks_for  # noqa: E402
from tools.vision.roles import Prompt, Seed  # noqa: E402
from tools.vision.sam import Grid, SamSegmenter  # noqa: E402
from tools.vision.sam2_video import Sam2VideoTracker  # noqa: E402
from tools.vision.weights import MODELS, WeightFile, WeightsError, WeightStore  # noqa: E402

PICTURE = np.random.default_rng(1).integers(0, 255, (60, 90, 3), dtype=np.uint8)
CLIP = np.random.default_rng(2).integers(0, 255, (24, 60, 90, 3), dtype=np.uint8)


def square(x0: int, y0: int, side: int = 20) -> np.ndarray:
    mask = np.zeros((60, 90), bool)
    mask[y0 : y0 + side, x0 : x0 + side] = True
    return mask


# --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sam():
    return SamSegmenter(
        models.tiny_sam(),
        "tiny",
        CPU,
        Grid(side=4, batch=5, quality=-1.0, stability=-1.0, overlap=0.999),
    )


def test_every_prompt_gets_a_mask_of_the_frames_size(sam):
    prompts = [
        Prompt(box=(5, 5, 30, 30)),
        Prompt(points=((40, 20),), labels=(1,)),
        Prompt(box=(10, 10, 60, 50), points=((20, 20), (50, 40)), labels=(1, 0)),
    ]
    segments = sam.segment(PICTURE, prompts)
    assert [s.mask.shape for s in segments] == [(60, 90)] * 3
    assert all(s.mask.dtype == bool and 0.0 <= s.score <= 1.0 for s in segments)


def test_the_order_and_the_batches_of_prompts_do_not_matter(sam):
    boxes = [Prompt(box=(x, 5, x + 25, 40)) for x in range(0, 60, 5)]
    together = sam.segment(PICTURE, boxes)
    assert len(together) == 12 > sam.grid.batch
    for prompt, segment in list(zip(boxes, together, strict=True))[::4]:
        alone = sam.segment(PICTURE, [prompt])[0]
        assert np.array_equal(alone.mask, segment.mask) and alone.score == pytest.approx(
            segment.score, abs=1e-5
        )


def test_a_prompt_moves_the_answer(sam):
    sam._embed(PICTURE)
    logits = [
        sam._decode(None, sam._scaled(np.array([[[x, 5], [x + 20, 30]]])).reshape(-1, 4), False)[0]
        for x in (2, 60)
    ]
    assert not torch.allclose(logits[0], logits[1])


def test_the_embedding_of_a_frame_is_computed_once(sam):
    sam.segment(PICTURE, [Prompt(box=(5, 5, 30, 30))])
    first = sam._embedding
    sam.segment(PICTURE.copy(), [Prompt(box=(1, 1, 30, 30))])
    assert sam._embedding is first
    sam.segment(PICTURE[::-1].copy(), [Prompt(box=(1, 1, 30, 30))])
    assert sam._embedding is not first


def test_everything_gives_different_masks_best_first(sam):
    found = sam.everything(PICTURE)
    assert found and all(s.mask.shape == (60, 90) and s.mask.any() for s in found)
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)


def test_half_precision_gives_nearly_the_same_scores(sam):
    half = SamSegmenter(sam.model, "tiny", Device("cpu", half=True), sam.grid)
    prompt = [Prompt(box=(5, 5, 50, 50))]
    assert half.segment(PICTURE, prompt)[0].score == pytest.approx(
        sam.segment(PICTURE, prompt)[0].score, abs=0.05
    )


def test_a_checkpoint_is_loaded_and_a_broken_or_foreign_one_is_named(tmp_path):
    path, model = tmp_path / "sam.pth", models.tiny_sam()
    with torch.no_grad():
        model.prompt_encoder.no_mask_embed.weight.fill_(0.5)
    torch.save(model.state_dict(), path)
    loaded = SamSegmenter.from_checkpoint(models.tiny_sam(), path, "tiny", CPU)
    assert float(loaded.model.prompt_encoder.no_mask_embed.weight.detach().mean()) == 0.5
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(
        WeightsError, match=r"expected a PyTorch checkpoint of tensors, got .*sam\.pth"
    ):
        SamSegmenter.from_checkpoint(models.tiny_sam(), path, "tiny", CPU)
    torch.save({"something": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match=r"expected a checkpoint of Sam, got .*sam\.pth"):
        SamSegmenter.from_checkpoint(models.tiny_sam(), path, "tiny", CPU)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    torch.save({"run": pytest.fail}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="checkpoint of tensors"):
        SamSegmenter.from_checkpoint(models.tiny_sam(), tmp_path / "evil.pth", "tiny", CPU)


# --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    model, tokenizer = models.tiny_grounding_dino(tmp_path_factory.mktemp("dino"))
    images = _image_processor()
    images.size = {"shortest_edge": 96, "longest_edge": 160}
    return GroundingDino(model, tokenizer, images, "tiny", CPU, floor=0.0)


WORDS = {"cart": "the black cart", "pole": "a brown pole"}


def test_phrases_become_boxes_in_pixels_with_scores_of_their_own_words(detector):
    (found,) = detector.detect(CLIP, [3], WORDS)
    assert {d.name for d in found} == {"cart", "pole"} and {d.words for d in found} == set(
        WORDS.values()
    )
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
    for d in found:
        assert (
            0 <= d.box[0] < d.box[2] <= 90 and 0 <= d.box[1] < d.box[3] <= 60 and 0 <= d.score <= 1
        )


def test_frames_in_batches_are_detected_like_frames_alone(detector):
    together = detector.detect(CLIP, [0, 7, 12], WORDS)
    assert len(together) == 3
    (alone,) = detector.detect(CLIP, [12], WORDS)
    assert [d.score for d in together[2]] == pytest.approx([d.score for d in alone], abs=1e-5)


def test_below_the_floor_nothing_is_found(detector):
    picky = GroundingDino(
        detector.model, detector.tokenizer, detector.images, "tiny", CPU, floor=1.01
    )
    assert picky.detect(CLIP, [0], WORDS) == ((),)


def test_the_folder_of_a_published_model_is_enough(detector, tmp_path):
    detector.model.save_pretrained(tmp_path)
    detector.tokenizer.save_pretrained(tmp_path)
    loaded = GroundingDino.from_folder(tmp_path, "0123456789abcdef00", CPU)
    assert loaded.identity == "grounding-dino-0123456789abcdef"
    loaded.images.size, loaded.floor = detector.images.size, 0.0
    assert loaded.detect(CLIP, [3], WORDS)[0][0].score == pytest.approx(
        detector.detect(CLIP, [3], WORDS)[0][0].score, abs=1e-5
    )


# --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sam2():
    return Sam2VideoTracker(models.tiny_sam2_video(), "tiny", CPU)


def test_objects_are_tracked_from_their_seeds_on_and_share_no_pixel(sam2):
    steps = []
    tracks = sam2.track(
        CLIP,
        [Seed("a", 0, square(5, 5)), Seed("b", 3, square(50, 30)), Seed("a", 10, square(30, 10))],
        lambda *s: steps.append(s),
    )
    assert {n: m.shape for n, m in tracks.masks.items()} == {"a": (24, 60, 90), "b": (24, 60, 90)}
    assert np.array_equal(tracks.masks["a"][0], square(5, 5)) and np.array_equal(
        tracks.masks["b"][3], square(50, 30)
    )
    assert not tracks.masks["b"][:3].any()
    assert not (tracks.masks["a"] & tracks.masks["b"]).any()
    assert all((c >= 0).all() and (c <= 1).all() for c in tracks.confidence.values())
    assert steps[-1] == ("sam2 video", 24, 24)


def test_memory_does_not_grow_with_the_length_of_the_clip(sam2):
    sessions = []

    class Watched(Sam2VideoTracker):
        def _session(self, shape):
            sessions.append(super()._session(shape))
            return sessions[-1]

    watched = Watched(sam2.model, "tiny", CPU)
    watched.horizon = 6
    watched.track(np.concatenate([CLIP, CLIP[::-1]]), [Seed("a", 0, square(5, 5))])
    (session,) = sessions
    assert len(session.processed_frames) == 0
    assert len(session.output_dict_per_obj[0]["non_cond_frame_outputs"]) <= 6


def test_what_is_forgotten_would_not_have_been_looked_at(sam2):
    class Remembers(Sam2VideoTracker):
        def _forget(self, session, t):
            session.processed_frames.pop(t, None)

    seeds = [Seed("a", 0, square(5, 5))]
    kept = Remembers(sam2.model, "tiny", CPU).track(CLIP, seeds)
    assert np.array_equal(kept.masks["a"], sam2.track(CLIP, seeds).masks["a"])


def test_seeds_are_checked(sam2):
    with pytest.raises(ContractError, match="0 to 23"):
        sam2.track(CLIP, [Seed("a", 24, square(5, 5))])
    with pytest.raises(ContractError, match="at least one"):
        sam2.track(CLIP, [])
    with pytest.raises(ContractError, match="at least one pixel"):
        Seed("a", 0, np.zeros((60, 90), bool))


# --------------------------------------------------------------------------------------------------


def test_words_become_masks_through_all_three_networks(detector, sam, sam2, tmp_path):
    backend = Backend(detector, sam2, sam)
    options, steps = Options(score=0.0, keyframes=2), []
    answer = masks_for(
        CLIP,
        request_of({"cart": "the black cart", "pole": "a brown pole"}),
        backend,
        options,
        MaskCache(tmp_path),
        lambda *s: steps.append(s[0]),
    )
    assert answer.names == ("cart", "pole") and all(
        m.shape == (24, 60, 90) and m.dtype == bool for m in answer.masks.values()
    )
    assert answer.report["models"] == {"detector": "tiny", "tracker": "tiny", "segmenter": "tiny"}
    found = [name for name in answer.names if answer.report["objects"][name]["found"]]
    assert found and all(
        answer.masks[name][answer.report["objects"][name]["frame"]].any() for name in found
    )
    assert "sam2 video" in steps and "detection" in steps


def test_models_are_built_from_a_store_of_weights(detector, sam2, tmp_path):
    for name, parts in {
        "grounding-dino-tiny": (detector.model, detector.tokenizer),
        "sam2.1-hiera-tiny": (sam2.model,),
    }.items():
        for part in parts:
            part.save_pretrained(tmp_path / name)
    small = {
        name: replace(
            MODELS[name],
            files=tuple(
                WeightFile(p.name, "", None, "")
                for p in sorted(
                    (tmp_path / name).iterdir(), key=lambda p: p.suffix != ".safetensors"
                )
            ),
        )
        for name in ("grounding-dino-tiny", "sam2.1-hiera-tiny")
    }
    store = WeightStore(tmp_path, models=MODELS | small, unpinned=True)
    backend, reasons = build_backend(VisionConfig(tracker="auto", device="cpu"), store)
    digest = store.digest("grounding-dino-tiny")[:16]
    assert backend.identity["detector"] == f"grounding-dino-{digest}" and backend.identity[
        "tracker"
    ].startswith("sam2-video-")
    assert backend.identity["segmenter"] == "grabcut-1" and any(
        "its weights are present" in reason for reason in reasons
    )


# --------------------------------------------------------------------------------------------------


def test_the_device_is_chosen_and_a_missing_one_is_named():
    assert choose_device().name in ("cpu", "cuda", "mps")
    assert choose_device("cpu") == Device("cpu", half=False)
    absent = "cuda" if not torch.cuda.is_available() else "mps"
    with pytest.raises(ValueError, match=r"expected one of .*cpu on this machine, got '" + absent):
        choose_device(absent)
    with pytest.raises(ValueError, match="expected one of auto, cpu, cuda, mps"):
        choose_device("tpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("half", [False, True], ids=["whole", "half"])
def test_an_accelerator_answers_as_the_processor_does(
    sam, detector, sam2, half, tmp_path, monkeypatch
):
    """A tracker with random weights feeds on its own masks and lets rounding grow: its masks are
    compared in full precision only."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    there, agree = Device("cuda", half), 0.9 if half else 0.995
    boxes = [Prompt(box=(x, 5, x + 25, 40)) for x in range(0, 60, 15)]
    for ours, theirs in zip(
        sam.segment(PICTURE, boxes),
        SamSegmenter(models.tiny_sam(), "tiny", there, sam.grid).segment(PICTURE, boxes),
        strict=True,
    ):
        assert (ours.mask == theirs.mask).mean() > agree and theirs.score == pytest.approx(
            ours.score, abs=0.05 if half else 1e-3
        )
    model, tokenizer = models.tiny_grounding_dino(tmp_path)
    elsewhere = GroundingDino(model, tokenizer, detector.images, "tiny", there, floor=0.0)
    scores = [
        [d.score for d in found.detect(CLIP, [3], WORDS)[0]] for found in (elsewhere, detector)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.05 if half else 1e-3)
    seeds = [Seed("a", 0, square(5, 5)), Seed("b", 3, square(50, 30))]
    ours, theirs = (
        sam2.track(CLIP, seeds),
        Sam2VideoTracker(models.tiny_sam2_video(), "tiny", there).track(CLIP, seeds),
    )
    assert all(half or (ours.masks[n] == theirs.masks[n]).mean() > agree for n in "ab")
