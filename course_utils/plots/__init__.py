"""Draw what `probes` measured: arrays in, figures out. Nothing here imports torch.

One file for each subject, and the same subject has the same name in `probes`; `training` draws
what `training.fit` measures. `arms` says how each net of a comparison looks, `frame` is what all
figures are made of.
"""

from course_utils import lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "arms": ["ARMS", "BRANCH", "IDENTITY", "MUTED", "PLAIN", "look"],
        "attention": ["FLOAT64", "SKETCH", "block_stepper", "rank_collapse"],
        "frame": ["Drawing", "bundle", "png", "show", "use_style"],
        "landscape": ["loss_slices"],
        "layers": ["degradation", "layer_gradients", "lesion_bench", "lesions"],
        "maps": ["pushed_grid"],
        "odes": ["flow"],
        "paths": ["TOPS", "effective_depth", "path_lengths", "unrolled"],
        "scalars": ["descent", "scalar_gains"],
        "shattering": ["autocorrelation", "gradients_along", "shattered_gradients"],
        "streams": [
            "TERMS", "cosines", "decay", "dilution", "draws", "gradient_norms", "signal",
            "variance_ledger",
        ],
        "training": [
            "SMOOTH", "accuracy_against_depth", "depth_rule", "learning_curves",
            "loss_against_angle", "loss_against_depth", "ranked", "steps_against_depth",
            "training_curve",
        ],
        "translation": ["which_skip"],
    },
)  # fmt: skip
