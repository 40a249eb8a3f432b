"""Join a branch to the stream, whatever branch and norm: h ← a·h + b·F(norm(h)).

Every loop over blocks is made of these two steps. They know neither weights nor caches: a branch
and a norm are functions, and what such a function hands on besides its value comes out again.
"""

from course_utils.wiring import Wiring


def joined_forward(h, run, wiring: Wiring, norm=None):
    """Take the stream through one block.

    Parameters
    ----------
    h : ndarray
    run : callable
        The branch: maps u = norm(h) or h to F and a cache.
    wiring : Wiring
    norm : callable, optional
        Maps an array to its normed one and a cache; not needed if the wiring has none.

    Returns
    -------
    H : ndarray, of the shape of F
    branch_cache : object
        From `run`.
    norm_cache : object
        From `norm`; None if the wiring has none.

    Raises
    ------
    ValueError
        If the wiring has two norms.

    References
    ----------
    He et al. (2016), "Identity Mappings in Deep Residual Networks", eq. 1-3.
    Derived in notebooks/02_chain_rule.ipynb.

    Examples
    --------
    >>> import numpy as np
    >>> H, _, _ = joined_forward(np.ones(3), lambda u: (10 * u, "cache"), Wiring(a=2, b=0.5))
    >>> H
    array([7., 7., 7.])
    """
    place, norm_cache = wiring.one_norm(), None
    u = h
    if place == "pre":  # on the branch: the shortcut below still takes h itself
        u, norm_cache = norm(h)
    F, branch_cache = run(u)
    H = wiring.a * h + wiring.b * F
    if place == "post":  # on the trunk
        H, norm_cache = norm(H)
    return H, branch_cache, norm_cache


def joined_backward(dH, run_back, wiring: Wiring, norm_back=None):
    """Send a gradient back through `joined_forward`.

    ∂L/∂h = a·∂L/∂H + b·J_Fᵀ ∂L/∂H: the shortcut passes the gradient on, the branch adds its
    share. A norm's Jacobian meets only that share if it stands before F, both if after the sum.

    Parameters
    ----------
    dH : ndarray
        ∂L/∂H.
    run_back : callable
        Maps ∂L/∂F to ∂L/∂u and the gradients of the branch's weights.
    wiring : Wiring
        That of the forward pass.
    norm_back : callable, optional
        Maps ∂L/∂y of the norm's output y to the gradient at its input and those of its weights.

    Returns
    -------
    dh : ndarray
        ∂L/∂h.
    branch_gradients : object
        From `run_back`.
    norm_gradients : object
        From `norm_back`; None if the wiring has no norm.

    Raises
    ------
    ValueError
        If the wiring has two norms.

    References
    ----------
    He et al. (2016), "Identity Mappings in Deep Residual Networks", eq. 5.
    Derived in notebooks/02_chain_rule.ipynb.

    Examples
    --------
    >>> import numpy as np
    >>> joined_backward(np.ones(3), lambda dF: (10 * dF, dF.sum()), Wiring(a=2, b=0.5))
    (array([7., 7., 7.]), np.float64(1.5), None)
    """
    place, norm_gradients = wiring.one_norm(), None
    if place == "post":
        dH, norm_gradients = norm_back(dH)
    du, branch_gradients = run_back(wiring.b * dH)
    if place == "pre":
        du, norm_gradients = norm_back(du)
    return wiring.a * dH + du, branch_gradients, norm_gradients
