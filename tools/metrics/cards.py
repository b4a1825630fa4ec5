"""What each metric is: definition, frames and objects it covers, unit, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """One metric. better: "lower" or "higher". floor: what a perfect model gets, in words."""

    name: str
    definition: str
    frames: str
    objects: str
    unit: str
    better: str
    source: str
    floor: str = "0"


_PREDICTED = "all predicted frames, none of the seen ones"
_WHOLE = "the whole picture"
_KANG = (
    "Kang et al. 2024, How Far is Video Generation from World Model, arXiv:2411.02385 and its "
    "public evaluation code"
)
_PROGGEN = (
    "the public code of Tang et al. 2025, Programmatic Video Prediction Using Large Language Models"
)
_SCORED = (
    "frames 3 to 30 of 32 in which the true ball is wholly in view; velocities between "
    "neighbouring ones"
)
_SEEN_OUT = (
    "averaged per video, then over videos; 'out' = zero + r_out + v_out + rv_out, 'invalid' skipped"
)

CARDS: dict[str, Card] = {
    card.name: card
    for card in (
        Card(
            "mae",
            "mean absolute error of values scaled to [0, 1]",
            _PREDICTED,
            _WHOLE,
            "1",
            "lower",
            "standard",
        ),
        Card(
            "psnr",
            "10 log10(255^2 / MSE) per frame, capped at 100 dB, then averaged over "
            "frames and videos",
            _PREDICTED,
            _WHOLE,
            "dB",
            "higher",
            "standard",
            "100",
        ),
        Card(
            "ssim",
            "structural similarity, 7 x 7 uniform window, mean of channels, then frames",
            _PREDICTED,
            _WHOLE,
            "1",
            "higher",
            "Wang et al. 2004, doi:10.1109/TIP.2003.819861; scikit-image",
            "1",
        ),
        Card(
            "gmsd",
            "standard deviation over the picture of the similarity of gradient magnitudes",
            _PREDICTED,
            _WHOLE,
            "1",
            "lower",
            "Xue et al. 2014, doi:10.1109/TIP.2013.2293423",
        ),
        Card(
            "lpips_alex",
            "LPIPS v0.1 with AlexNet, mean of frames",
            _PREDICTED,
            _WHOLE,
            "1",
            "lower",
            "Zhang et al. 2018, arXiv:1801.03924",
        ),
        Card(
            "lpips_vgg",
            "LPIPS v0.1 with VGG-16, mean of frames",
            _PREDICTED,
            _WHOLE,
            "1",
            "lower",
            "Zhang et al. 2018, arXiv:1801.03924",
        ),
        Card(
            "score",
            "1 - error / error of the best still frame, beyond pixel noise, at least 0",
            _PREDICTED,
            _WHOLE,
            "1",
            "higher",
            "this project, tools.metrics.score; after Murphy 1988",
            "1",
        ),
        Card(
            "state_rmse",
            "root mean squared error of a state column, objects matched by position",
            _PREDICTED,
            "every object with a counterpart",
            "px or rad",
            "lower",
            "this project, tools.metrics.states",
        ),
        Card(
            "kang_pixels",
            "one ball: |mean velocity - initial velocity|; two: |mean - true "
            "mean| after the collision, mean of the balls; positions parsed from "
            "the pixels of the drawn frames (mean index / 256 * 10)",
            f"{_SCORED}; {_SEEN_OUT}",
            "every ball, x axis",
            "world units / s",
            "lower",
            _KANG,
            "about .009: pixels are divided by 256 where the drawing has 255",
        ),
        Card(
            "kang_states",
            "the same figure on predicted states instead of parsed pixels",
            f"{_SCORED}; {_SEEN_OUT}",
            "every ball, x axis",
            "world units / s",
            "lower",
            _KANG,
        ),
        Card(
            "kang_pre",
            "the figure for two balls before the collision",
            _SCORED,
            "both balls, x axis",
            "world units / s",
            "lower",
            _KANG,
        ),
        Card(
            "proggen_pred",
            "|mean of velocities - true mean|: one ball from interval 4 -> 5 on "
            "(pred_vel_error), two balls after the collision "
            "(pred_post_vel_error); predicted states",
            "clip cut at the first frame where a mask touches the "
            "picture's edge; 'out' = r_out + v_out + rv_out",
            "every ball, x axis",
            "world units / s",
            "lower",
            _PROGGEN,
        ),
        Card(
            "proggen_percepted",
            "the same with positions parsed from the drawn frames "
            "(percepted_vel_error, percepted_post_vel_error)",
            "as proggen_pred",
            "every ball, x axis",
            "world units / s",
            "lower",
            _PROGGEN,
            "about .01, as kang_pixels",
        ),
        Card(
            "proggen_err_avg",
            "mean absolute difference of velocities of single intervals, both "
            "axes (pred_vel_err_avg)",
            "as proggen_pred, all intervals",
            "every ball",
            "world units / s",
            "lower",
            _PROGGEN,
        ),
    )
}
"""Cards by metric name."""
