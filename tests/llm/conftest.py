import pytest

from sandbox import Sandbox


@pytest.fixture(scope="session")
def box():
    """One warm sandbox for all tests of this folder."""
    with Sandbox(workers=1) as sandbox:
        yield sandbox
