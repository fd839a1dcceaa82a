"""Options and their text form."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from donna.errors import InvalidArgument
from donna.space import Option, expand
from tests.unit.space.libraries import NAMES, OPTIONS, SCALARS


@given(OPTIONS)
@settings(max_examples=60, deadline=None)
def test_an_option_comes_back_from_its_text(option: Option) -> None:
    assert Option.parse(str(option)) == option
    again = Option.parse(str(option))
    assert [type(value) for _, value in again.parameters] == [type(value) for _, value in option.parameters]


@given(OPTIONS, OPTIONS)
@settings(max_examples=40, deadline=None)
def test_equal_options_have_equal_texts_and_the_other_way_round(one: Option, other: Option) -> None:
    assert (one == other) == (str(one) == str(other))
    if one == other:
        assert hash(one) == hash(other)


@pytest.mark.parametrize("values", [(1, True), (1, 1.0), (0, False), (0.0, -0.0)])
def test_values_that_python_takes_for_equal_are_not(values: tuple[float, float]) -> None:
    one, other = (Option.of("block", {"a": value}) for value in values)
    assert str(one) != str(other)
    assert one != other
    assert len({one, other}) == 2


@given(NAMES, st.dictionaries(NAMES, SCALARS, min_size=2, max_size=4), st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_order_of_parameters_does_not_matter(family: str, parameters: dict, random) -> None:
    shuffled = list(parameters.items())
    random.shuffle(shuffled)
    option = Option.of(family, dict(shuffled))
    assert option == Option.of(family, parameters)
    assert all(option[name] == value for name, value in parameters.items())


def test_the_text_form() -> None:
    option = Option.of("inverted_residual", {"kernel": 3, "activation": "relu", "se": True, "ratio": 0.25})
    assert str(option) == "inverted_residual(activation=relu,kernel=3,ratio=0.25,se=true)"
    assert str(Option(family="skip")) == "skip()"


@pytest.mark.parametrize(
    "text",
    [
        "", "skip", "skip(", "skip)", "skip()x", "skip() ", "Skip()", "skip(a)", "skip(a=)", "skip(=1)", "skip(a=1,)",
        "skip(a=1,,b=2)", "skip(a=1,a=2)", "skip(b=1,a=2)", "skip(a=01)", "skip(a=1_0)", "skip(a=+1)", "skip(a=1e3)",
        "skip(a= 1)", "skip(a=nan)", "skip(a=inf)", "skip(a=-inf)", "skip(a=1e999)", "skip(a=x y)",
        "skip(a=(1))", "skip(a=٣)", "skip(a=$x)", "skip(a=__import__)", "skip(a=..)", "skip()\n", "a" * 70 + "()",
        "skip(a=" + "9" * 2000 + ")",
    ],
)  # fmt: skip
def test_a_text_that_is_no_option_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        Option.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_an_option_in_canonical_form_or_refused(text: str) -> None:
    try:
        assert str(Option.parse(text)) == text
    except InvalidArgument:
        pass


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("Skip", {}),
        ("skip", {"A": 1}),
        ("skip", {"a": "x,y"}),
        ("skip", {"a": "true"}),
        ("skip", {"a": "nan"}),
        ("skip", {"a": "3"}),
        ("skip", {"a": ""}),
        ("skip", {"a": math.nan}),
        ("skip", {"a": math.inf}),
        ("skip", {f"a{n}": "x" * 60 for n in range(20)}),
    ],
)
def test_an_option_that_could_not_be_read_back_cannot_be_made(family: str, parameters: dict) -> None:
    with pytest.raises(InvalidArgument):
        Option.of(family, parameters)


def test_parameters_are_sorted_and_distinct() -> None:
    for parameters in ((("b", 1), ("a", 1)), (("a", 1), ("a", 2))):
        with pytest.raises(InvalidArgument, match="must be sorted and distinct"):
            Option(family="skip", parameters=parameters)


def test_expand_lists_every_combination_in_the_order_written() -> None:
    options = expand("residual", {"kernel": [5, 3], "depth": (1, 2), "activation": "relu"})
    assert [str(option) for option in options] == [
        f"residual(activation=relu,depth={depth},kernel={kernel})" for kernel in (5, 3) for depth in (1, 2)
    ]
