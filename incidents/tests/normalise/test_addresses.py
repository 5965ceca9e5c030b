"""Kuwaiti addresses in two languages (ING-5). No database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.normalise.address import Address, parse_address
from incidents.normalise.numbers import read_number
from incidents.normalise.problems import Unreadable
from incidents.normalise.words import number_in, origin_of, priority_of


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Salmiya block 10 street 5 bldg 12", Address("Salmiya", "10", "5", "", "12", "")),
        ("السالمية قطعة ١٠ شارع ٥ جادة ٣ منزل ١٢", Address("السالمية", "10", "5", "3", "12", "")),
        ("Bayan B6 St3 H27", Address("Bayan", "6", "3", "", "27", "")),
        ("حولي ق4 ش تونس م 12", Address("حولي", "4", "تونس", "", "12", "")),
        (
            "Farwaniya, Block: 4, Street: Habib Munawer, Building: 12A, Jaddah 2",
            Address("Farwaniya", "4", "Habib Munawer", "2", "12A", ""),
        ),
        (
            "الجابرية، قطعة 1أ، شارع 101، قسيمة 45، الرقم الآلي 12345678",
            Address("الجابرية", "1أ", "101", "", "45", "12345678"),
        ),
        ("منطقة الرميثية قطعة 3", Address("الرميثية", "3", "", "", "", "")),
        ("Hawalli, Blk 3, Tunis Street, Building 14", Address("Hawalli", "3", "Tunis", "", "14", "")),
        ("Block no. 7, Street No 12", Address("", "7", "12", "", "", "")),
        ("PACI 15234567", Address("", "", "", "", "", "15234567")),
        ("near the water tower", Address()),
        ("100 people gathered", Address()),
        ("Bob's shop", Address()),
        ("", Address()),
    ],
)
def test_is_parsed(text, parts):
    assert parse_address(text) == parts


@given(st.text(max_size=400))
def test_anything_is_parsed_and_fits_its_columns(text):
    columns = parse_address(text).columns()
    limits = {"address_block": 12, "address_street": 80, "address_jadda": 24, "address_building": 24, "paci_number": 12}
    assert all(len(columns[name]) <= limit for name, limit in limits.items())


@given(
    st.sampled_from(["block", "Blk", "قطعة", "ق"]), st.integers(1, 99),
    st.sampled_from(["street", "St.", "شارع", "ش"]), st.integers(1, 999),
    st.sampled_from(["jadda", "lane", "جادة"]), st.integers(1, 30),
    st.sampled_from(["house", "bldg", "منزل", "قسيمة"]), st.integers(1, 999),
)  # fmt: skip
def test_labelled_numbers_are_found_in_any_mix(block, b, street, s, jadda, j, house, h):
    found = parse_address(f"{block} {b}, {street} {s}, {jadda} {j}, {house} {h}")
    assert (found.block, found.street, found.jadda, found.building) == (str(b), str(s), str(j), str(h))


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("47.98", 47.98),
        ("٤٧٫٩٨", 47.98),
        ("47,98", 47.98),
        (" 47.98° ", 47.98),
        ("-", None),
        ("", None),
        (None, None),
        ("null", None),
        (47, 47.0),
    ],
)
def test_a_coordinate_is_read(written, number):
    assert read_number(written) == number


@pytest.mark.parametrize("written", ["1_0", "abc", "nan", "1e999", True, [], {}, "1,234.5x", 10**400])
def test_a_coordinate_is_refused(written):
    with pytest.raises(Unreadable):
        read_number(written)


def test_words_of_priority_and_origin():
    assert [number_in(word) for word in ("3", "P3", "priority 3", 3, 3.0, "٣", "3.5", "x", None, True)] == [
        3,
        3,
        3,
        3,
        3,
        3,
        None,
        None,
        None,
        None,
    ]
    assert [priority_of(word) for word in ("Emergency", "عاجل", "routine", "blue")] == [1, 2, 4, None]
    assert [origin_of(word) for word in ("112", "On-View", "دورية", "")] == ["reported", "discovered", "discovered", "unknown"]
