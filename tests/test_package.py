import subprocess
import sys

import pytest

import atrous


@pytest.mark.parametrize("name", atrous.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(atrous, name) is not None
    assert name in dir(atrous)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        atrous.laod  # noqa: B018


def test_public_names_stand_in_order_and_have_one_home_each() -> None:
    assert sorted(atrous.__all__) == atrous.__all__
    assert set(atrous.__all__) == {*atrous._HOMES, "__version__"}


def test_importing_the_package_imports_no_torch() -> None:
    program = "import sys, atrous; print(*[name for name in ('torch', 'numpy', 'pydantic') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
