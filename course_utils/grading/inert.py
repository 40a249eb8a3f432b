"""Stand in for `course_utils` inside the sandbox: an exercise's calls do nothing there."""


def check(*_, **__):
    """Do nothing: marks are decided elsewhere."""


hint = scorecard = setup = check
