"""The gradients of the scores and of a temperature that learns."""

from course_utils.backprop.attention import softmax, softmax_backward
from course_utils.checks.lesson_09 import LESSON
from course_utils.judging.exercise import Case, Exercise, Mistake


def _temperature_case(title, n, tau, offset=0.0, held_back=False):
    def draw(rng):
        z, dp = rng.normal(size=(2, n))
        return {"z": z + offset, "tau": tau, "dp": dp}

    return Case(title, draw, held_back)


def _behind_softmax(z, tau, dp):
    """Compute the gradient of u = z/τ."""
    return softmax_backward(softmax(z / tau), dp)


def _temperature(
    du=_behind_softmax,
    to_z=lambda du, z, tau: du / tau,
    to_tau=lambda du, z, tau: -(du @ z) / tau**2,
):
    """Compute the answer in which ∂L/∂u, or what it becomes at z or τ, is this."""

    def value(z, tau, dp):
        behind = du(z, tau, dp)
        return {"z": to_z(behind, z, tau), "tau": to_tau(behind, z, tau)}

    return value


def _from_p(step):
    """Let p = softmax(z/τ) and dp enter in another way."""
    return _temperature(du=lambda z, tau, dp: step(softmax(z / tau), dp))


EXERCISE = Exercise(
    name="temperature_gradient",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        _temperature_case("four scores, τ = 0.5", 4, 0.5),
        _temperature_case("three scores, τ = 3", 3, 3.0),
        _temperature_case("scores near 1000, where exp overflows", 3, 0.8, 1000.0),
        _temperature_case("nine scores, τ = 2", 9, 2.0, held_back=True),
    ),
    reference=_temperature(),
    mistakes=(
        Mistake(
            "τ is missing inside: p is the softmax of z/τ, not of z",
            _temperature(du=lambda z, tau, dp: softmax_backward(softmax(z), dp)),
        ),
        Mistake(
            "you use p (1 − p) alone, the diagonal: a score moves the other shares too, since "
            "they add up to 1",
            _from_p(lambda p, dp: p * (1 - p) * dp),
        ),
        Mistake(
            "the sum is missing: p ⊙ dp has to lose p Σ p dp, for the shares add up to 1",
            _from_p(lambda p, dp: p * dp),
        ),
        Mistake(
            "you subtract the plain sum of dp; each entry counts with its share, Σ p dp",
            _from_p(lambda p, dp: p * (dp - dp.sum())),
        ),
        Mistake(
            "you subtract the plain mean of dp; the mean with the shares p is Σ p dp",
            _from_p(lambda p, dp: p * (dp - dp.mean())),
        ),
        Mistake(
            "the factor p in front is missing: p ⊙ (dp − Σ p dp)",
            _from_p(lambda p, dp: dp - p @ dp),
        ),
        Mistake(
            "a sign is wrong: the sum Σ p dp is subtracted",
            _from_p(lambda p, dp: p * (dp + p @ dp)),
        ),
        Mistake(
            "the gradient of τ is right, that of z lacks 1/τ: z enters as z/τ",
            _temperature(to_z=lambda du, z, tau: du),
        ),
        Mistake(
            "the gradient of τ is right; that of z you multiply by τ, and z is divided by it",
            _temperature(to_z=lambda du, z, tau: du * tau),
        ),
        Mistake(
            "the sign of the gradient of τ is wrong: z/τ falls when τ grows",
            _temperature(to_tau=lambda du, z, tau: du @ z / tau**2),
        ),
        Mistake(
            "the gradient of τ lacks a factor 1/τ: the slope of z/τ is −z/τ²",
            _temperature(to_tau=lambda du, z, tau: -(du @ z) / tau),
        ),
        Mistake(
            "the gradient of τ has a factor 1/τ too many: ∂L/∂z contains one already",
            _temperature(to_tau=lambda du, z, tau: -(du @ z) / tau**3),
        ),
        Mistake(
            "the gradient of τ contains no τ: the slope of z/τ is −z/τ²",
            _temperature(to_tau=lambda du, z, tau: -(du @ z)),
        ),
        Mistake(
            "the gradient of τ has one entry per score; all of them share τ, so sum",
            _temperature(to_tau=lambda du, z, tau: -du * z / tau**2),
        ),
        Mistake(
            "you average the gradient of τ over the scores; what several places share gets the sum",
            _temperature(to_tau=lambda du, z, tau: -(du * z).mean() / tau**2),
        ),
        Mistake(
            "the gradient of τ lacks z. Without it the sum is always 0",
            _temperature(to_tau=lambda du, z, tau: -du.sum() / tau**2),
        ),
        Mistake(
            "you send dp to τ as if there were no softmax",
            lambda z, tau, dp: _temperature()(z, tau, dp) | {"tau": -(dp @ z) / tau**2},
        ),
    ),
    hints=(
        "Name the piece between: u = z/τ, p = softmax(u). The lesson has the way from dp to du.",
        "du = p ⊙ (dp − Σ p dp). From u it goes to z with the slope 1/τ, and to τ with the slope "
        "−z_i/τ² in entry i.",
        "All entries of u contain the same τ, so their shares add up: the sum of du_i · (−z_i/τ²). "
        "The softmax does not change if you subtract max(z) from z inside it.",
    ),
)
