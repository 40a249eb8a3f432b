from course_utils.checks import EXERCISES
from course_utils.judging.call import local_call
from course_utils.judging.judge import judge


def verdict(name, **namespace):
    """Judge an answer to one of the course's exercises, as its notebook does."""
    return judge(EXERCISES[name], local_call(namespace))
