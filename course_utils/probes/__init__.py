"""Measure a network: modules in, arrays out. Nothing here imports matplotlib.

One file for each subject, and the same subject has the same name in `plots`. A probe is found
when it is first used, so that those of NumPy nets need not wait for torch.
"""

from course_utils import lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "attention": ["block_tensors", "rank_collapse", "token_spread"],
        "landscape": ["curvatures", "filter_directions", "losses_at", "plane", "step_cosines"],
        "layers": ["block_steps", "branch_jacobians", "stream_gradients"],
        "maps": ["grid_lines", "jacobian", "jacobian_by_differences", "output"],
        "odes": ["exact_flow", "flow"],
        "paths": ["path_length_shares", "path_shares", "squares_by_length"],
        "scalars": ["descent"],
        "shattering": [
            "autocorrelation", "by_lag", "input_gradients", "pair_cosines", "wide_cosines",
        ],
        "streams": ["cosines", "dilution", "gradient_norms", "stream_lengths", "variance_ledger"],
        "translation": ["cross_weights", "own_share", "written_right"],
    },
)  # fmt: skip
