import pytest

from sandbox import Sandbox


@pytest.fixture(scope="session")
def box():
    """One warm sandbox for all tests of this process."""
    with Sandbox(workers=2) as sandbox:
        yield sandbox
