"""Choice vectors and their text form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from donna.errors import InvalidArgument
from donna.space import Architecture

CHOICES = st.lists(st.integers(0, 999_999), min_size=1, max_size=256).map(tuple)


@given(CHOICES)
def test_an_architecture_comes_back_from_its_text(choices: tuple[int, ...]) -> None:
    architecture = Architecture(choices=choices)
    assert Architecture.parse(str(architecture)) == architecture
    assert Architecture.parse(str(architecture), [choice + 1 for choice in choices]) == architecture


@given(st.text(alphabet="0123456789-٣ \n", max_size=20))
def test_any_text_is_canonical_or_refused(text: str) -> None:
    try:
        assert str(Architecture.parse(text)) == text
    except InvalidArgument:
        pass


@pytest.mark.parametrize(
    "text",
    ["", "-", "1-", "-1", "1--2", "01", "1-02", "1.0", "a", "1-2\n", "٣-1", "1" * 7, "-".join("1" * 257)],
)
def test_a_text_that_is_no_architecture_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="architecture: "):
        Architecture.parse(text)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ((0, 0), "0-0 has 2 choices, the space has 3 blocks"),
        ((0, 0, 0, 0), "has 4 choices"),
        ((2, 0, 0), r"choice 2 of block 0 is not in 0\.\.1"),
        ((0, -1, 0), r"choice -1 of block 1 is not in 0\.\.0"),
        ((0, 0, 4), r"choice 4 of block 2 is not in 0\.\.3"),
    ],
)
def test_an_architecture_outside_the_space_is_refused(choices: tuple[int, ...], words: str) -> None:
    Architecture(choices=(1, 0, 3)).check((2, 1, 4))
    with pytest.raises(InvalidArgument, match=words):
        Architecture(choices=choices).check((2, 1, 4))


def test_architectures_are_ordered_and_hashable() -> None:
    a, b = Architecture(choices=(0, 2)), Architecture(choices=(0, 10))
    assert a < b
    assert len({a, b, Architecture(choices=(0, 2))}) == 2
