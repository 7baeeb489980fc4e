import inspect
import re

from atrous import errors


def test_the_tree_in_the_docstring_names_exactly_the_errors_there_are_each_below_its_base() -> None:
    lines = re.findall(r"^([│├└─ ]*)(\w+Error)\b", inspect.cleandoc(errors.__doc__ or "").split("```")[1], re.MULTILINE)
    drawn, branch = {}, [Exception.__name__]
    for indent, name in lines:
        branch = [*branch[: 1 + len(indent) // 4], name]
        drawn[name] = branch[-2]
    there_are = {
        name: kind.__base__.__name__
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and kind.__base__ is not None
    }
    assert drawn == there_are


def test_every_error_is_an_atrous_error() -> None:
    assert all(issubclass(kind, errors.AtrousError) for kind in vars(errors).values() if inspect.isclass(kind))


def test_no_error_of_a_user_is_taken_for_a_slip_of_a_programmer() -> None:
    assert not issubclass(errors.AtrousError, ValueError)
