"""MLflow's scoring contract: its forms of a request, its errors, and a key for clients that know no keys."""

import json
from base64 import b64encode
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_contracts.predictions import MAX_ROWS
from interlock_gateway.protocols.scoring_rows import ScoringError, rows_of
from interlock_modeling.rows import read_rows
from interlock_modeling.signature import Feature

from tests.support.gateway_app import KEY, Door, client, opened
from tests.support.stored_models import REGRESSION, put_classifier, put_model


async def score(door: Door, body: Any, *, model: str = "flights", kind: str = "application/json") -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await door.http.post(f"/models/{model}/invocations", content=content, headers={"Content-Type": kind})


def refusal(answer: httpx.Response, status: int = 400) -> str:
    """Return the words of a refusal in MLflow's form."""
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"error_code", "message"}
    return str(answer.json()["message"])


ROWS: list[dict[str, Any]] = [{"size": 3, "color": "green", "index": 0}, {"size": 5.5, "color": None, "index": 1}]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"index": [0, 1], "columns": list(ROWS[0]), "data": [list(row.values()) for row in ROWS]}},
        {"dataframe_records": ROWS},
        {"instances": ROWS, "params": {}},
        {"inputs": COLUMNS, "params": None},
        {"inputs": {**COLUMNS, "size": [[3], [5.5]]}},
        {"inputs": ROWS},
        b'{"dataframe_records": [{"size": 3, "color": NaN}, {"size": 5.5}]}',
    ],
)
async def test_every_form_of_a_request_is_read(serving: Door, body: Any) -> None:
    """Columns are found by name; others, such as an index, are left aside, as MLflow's own servers do."""
    answer = await score(serving, body)

    assert (answer.status_code, answer.json()["predictions"]) == (200, [1003.0, 1005.5])


async def test_what_is_unusual_is_told_beside_the_predictions(serving: Door) -> None:
    """A column that is left out where it may be, and a category that no training has seen; else nothing is added."""
    usual = await score(serving, {"dataframe_records": ROWS})
    unusual = await score(serving, {"dataframe_records": [{"size": 3, "color": "mauve"}, {"size": 5.5}]})

    assert usual.json() == {"predictions": [1003.0, 1005.5]}
    missing, unknown = unusual.json()["warnings"]
    assert (unknown["row"], unknown["column"], "mauve" in unknown["message"]) == (0, "color", True)
    assert (missing["row"], missing["column"], "is missing" in missing["message"]) == (1, "color", True)


async def test_csv_is_read_as_the_model_has_it(serving: Door) -> None:
    """What `DataFrame.to_csv` writes; an empty cell is missing."""
    answer = await score(serving, b'size,color,index\n3,"green",0\n5.5,,1\n', kind="text/csv; charset=utf-8")
    labels = await score(serving, b"size\r\n1\r\n4\r\n", model="sales", kind="text/csv")

    assert answer.json() == {"predictions": [1003.0, 1005.5]}
    assert labels.json()["predictions"] == [False, True]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "exactly one of"),
        ({"rows": ROWS}, "exactly one of"),
        ({"inputs": ROWS, "instances": ROWS}, "exactly one of"),
        ({"inputs": [[1, 2]]}, "columns are found by name"),
        ({"inputs": {"size": [1, 2], "color": ["red"]}}, "different lengths"),
        ({"inputs": {}}, "different lengths"),
        ({"instances": []}, "0 rows"),
        ({"instances": [{"size": 1}] * (MAX_ROWS + 1)}, "rows; send from 1"),
        ({"instances": ROWS, "params": {"temperature": 1}}, "takes no params"),
        ({"dataframe_split": {"columns": ["size"], "data": [[1, 2]]}}, "2 values for 1 columns"),
        ({"dataframe_split": [[1]]}, "dataframe_split takes"),
        ({"dataframe_records": [{"size": "big"}]}, "row 0, column 'size': 'big' is not accepted"),
        ({"dataframe_records": [{"color": "red"}]}, "the value is missing"),
        (b'{"inputs": [{"size": Infinity}]}', "row 0, column 'size'"),
        (b'{"inputs', "not JSON"),
        (b"\xff", "not UTF-8"),
    ],
)
async def test_wrong_requests_are_told_what_would_be_right(serving: Door, body: Any, words: str) -> None:
    """In MLflow's form of an error, with our words."""
    assert words in refusal(await score(serving, body))


async def test_wrong_csv_and_other_types_are_told(serving: Door) -> None:
    """A number that is none is named with its row and column."""
    csv = "text/csv"

    assert "column 'size': 'big'" in refusal(await score(serving, b"size\nbig\n", kind=csv))
    assert "1 values for 2 columns" in refusal(await score(serving, b"size,color\n3\n", kind=csv))
    assert "first line names" in refusal(await score(serving, b"", kind=csv))
    assert "not CSV" in refusal(await score(serving, b'size\n"3', kind=csv))
    assert "text/csv" in refusal(await score(serving, b"PAR1", kind="application/vnd.apache.parquet"), 415)
    assert "UTF-8" in refusal(await score(serving, b"{}", kind="application/json; charset=latin-1"), 415)


async def test_which_model_answers_at_the_root_is_said_or_asked(serving: Door) -> None:
    """With two models a choice would be a guess."""
    words = refusal(await serving.http.post("/invocations", json={"inputs": ROWS}), 404)

    assert "flights, sales could answer" in words
    assert "INTERLOCK_MLFLOW_MODEL" in words
    assert "no pipeline is called 'nobody'" in refusal(await score(serving, {"inputs": ROWS}, model="nobody"), 404)


async def test_the_key_may_come_as_a_password(serving: Door) -> None:
    """MLflow's clients send what the address or ~/.netrc says, so that is where the key can be."""

    def basic(text: str) -> dict[str, str]:
        return {"Authorization": f"Basic {b64encode(text.encode()).decode()}"}

    async with client(str(serving.http.base_url), key=None) as nobody:
        for path in ("/models/flights/invocations", "/invocations"):
            assert "~/.netrc" in refusal(await nobody.post(path, json={"inputs": ROWS}), 401)
        assert refusal(await nobody.get("/models/flights/ping"), 401)
        for wrong in (basic("interlock:wrong"), basic(KEY), {"Authorization": "Basic !"}, {"Authorization": KEY}):
            assert refusal(await nobody.get("/models/flights/ping", headers=wrong), 401)
        assert (await nobody.get("/models/flights/ping", headers=basic(f"anyone:{KEY}"))).text == "\n"
        answer = await nobody.post("/models/flights/invocations", json={"inputs": ROWS}, headers=basic(f":{KEY}"))
        assert answer.json() == {"predictions": [1003.0, 1005.5]}


async def test_ping_and_version_are_open(serving: Door) -> None:
    """As they are at MLflow's servers; this door has no broker, so it says that it is not ready."""
    async with client(str(serving.http.base_url), key=None) as nobody:
        assert refusal(await nobody.get("/ping"), 503) == refusal(await nobody.get("/health"), 503)
        version = await nobody.get("/version")
    assert version.headers["content-type"].startswith("text/plain")
    assert version.text == (await serving.http.get("/v2")).json()["version"]


async def test_the_root_can_be_given_a_model_and_opened(tmp_path_factory: pytest.TempPathFactory) -> None:
    """By two settings, and only the root: a user of `mlflow models serve` then changes nothing but the port."""
    folder = tmp_path_factory.mktemp("models")
    async with opened(folder, mlflow_model="flights", mlflow_open=True) as door:
        door.behind.promote(put_model(door.store, 1), seq=1)
        door.behind.promote(put_classifier(door.store, model="sales"), seq=1)
        await door.serves(1)
        async with client(str(door.http.base_url), key=None) as nobody:
            answer = await nobody.post("/invocations", json={"inputs": ROWS})
            assert answer.json() == {"predictions": [1003.0, 1005.5]}
            assert refusal(await nobody.post("/models/flights/invocations", json={"inputs": ROWS}), 401)
            # Behind a proxy on this machine the caller is who the proxy says.
            elsewhere = {"X-Forwarded-For": "203.0.113.7"}
            assert refusal(await nobody.post("/invocations", json={"inputs": ROWS}, headers=elsewhere), 401)


EVERY_TYPE = REGRESSION.model_copy(
    update={
        "features": [
            Feature(name="size", type="number", nullable=True),
            Feature(name="sold", type="boolean", nullable=True),
            Feature(name="day", type="datetime", nullable=True),
        ]
    }
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["size", "columns", "data", "index"]) | st.text(max_size=3), inner, max_size=3
        )
    ),
    max_leaves=8,
)
BODIES = st.dictionaries(
    st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "params"]), JSON, max_size=2
)


@settings(max_examples=300)
@given(
    body=BODIES.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=30),
    kind=st.sampled_from(["", "text/csv"]),
)
def test_whatever_is_sent_is_read_or_told_what_is_wrong(body: bytes, kind: str) -> None:
    """Rows of the model's columns, or words."""
    try:
        rows = rows_of(EVERY_TYPE, body, kind)
    except ScoringError as error:
        rows, words = [], error.detail
    else:
        words = ""

    assert bool(rows) != bool(words)
    assert all(row.keys() <= {"size", "sold", "day"} for row in rows)


def test_a_missing_datetime_of_pandas_is_missing() -> None:
    """`NaT` is how its JSON writes one."""
    body = b'{"dataframe_records": [{"day": "NaT", "sold": true}]}'

    assert rows_of(EVERY_TYPE, body, "application/json") == [{"day": None, "sold": True}]
    assert rows_of(EVERY_TYPE, b"size,sold\nnan,True\n", "text/csv") == [{"size": None, "sold": "True"}]


HOUSES = REGRESSION.model_copy(
    update={
        "features": [
            Feature(name="size", type="number", nullable=True, optional=False),
            Feature(name="zip", type="category", nullable=True, optional=True),
            Feature(name="garden", type="boolean", nullable=True, optional=False),
        ],
        "null_values": ["", "NA"],
    }
)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"Size,zip,garden\n1,4040,no\n", "text/csv", "unknown column 'Size'; did you mean 'size'?"),
        (b"size,ZIP,garden\n1,4040,no\n", "text/csv", "unknown column 'ZIP'; did you mean 'zip'?"),
        (b"size:zip:garden\n1:4040:no\n", "text/csv", "cells are separated by commas, semicolons, tabs or bars"),
        (b"sep=;\nsize,zip,garden\n1,4040,no\n", "text/csv", "line 1 names no column"),
        (b'sep="\nsize,zip,garden\n1,4040,no\n', "text/csv", "line 1 names no column"),
        (b"size;zip;garden\n1;4040;no;7\n", "text/csv", "row 0 has 4 values for 3 columns"),
        (b"size;zip;;\n1;4040;no;\n", "text/csv", "is there twice"),
        (b"size,size,garden\n1,2,no\n", "text/csv", "'size' is there twice"),
        (b'{"dataframe_records": [{"Size": 1, "garden": true}]}', "", "did you mean 'size'?"),
        (b'{"inputs": {"size": [1], "Garden": [1]}}', "", "did you mean 'garden'?"),
        (b'{"instances": [{"size": 1, "garden": 0, "zip": 1}, {"Zip": 1}]}', "", "row 1: unknown column"),
        (b'{"dataframe_split": {"columns": ["size", "size"], "data": [[1, 2]]}}', "", "'size' is there twice"),
        (b'{"dataframe_records": [{"size": 1, "garden": false, "size": 2}]}', "", "'size' is there twice"),
        (b'{"inputs": {"size": [1], "garden": [false], "size": [2]}}', "", "'size' is there twice"),
    ],
)
def test_a_misspelt_or_repeated_column_is_refused(body: bytes, kind: str, words: str) -> None:
    """Left aside, it would be null in every row, and nobody would notice."""
    with pytest.raises(ScoringError) as refused:
        rows_of(HOUSES, body, kind)

    assert words in refused.value.detail


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"size,zip,garden,price\nNA,4040,no,1\n3.0,NA,1,2\n", "text/csv"),
        (b'{"instances": [{"size": "NA", "zip": 4040, "garden": 0}, {"size": 3, "zip": "NA", "garden": "y"}]}', ""),
    ],
)
def test_cells_are_read_as_in_the_files_of_the_training(mark: bytes, body: bytes, kind: str) -> None:
    """With or without a byte order mark."""
    cells, warnings = read_rows(HOUSES, rows_of(HOUSES, mark + body, kind))

    assert cells == {"size": [None, 3.0], "zip": ["4040", None], "garden": [False, True]}
    assert not warnings


def test_an_ignored_column_is_no_misspelt_one() -> None:
    """It is called much like one that is missing, and is known all the same."""
    ignoring = HOUSES.model_copy(update={"ignored": ["sizes"]})

    assert rows_of(ignoring, b"sizes,zip,garden\n9,4040,no\n", "text/csv") == [{"zip": "4040", "garden": "no"}]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("naming", [True, False], ids=["sep", "found"])
def test_csv_of_a_spreadsheet_is_read_as_ingest_reads_it(naming: bool, delimiter: str, end: str) -> None:
    """Its delimiter is named by `sep=` or seen in the header; ghost rows and columns around the table are none."""
    lines = ["size,zip,garden,,", "1,4040,no,,", ",,,,", "", "2,,yes,,", ",,,,", "", ",,,,", ""]
    text = end.join(line.replace(",", delimiter) for line in [f"sep={delimiter}"[: 5 * naming], *lines][not naming :])

    assert rows_of(HOUSES, text.encode(), "text/csv") == [
        {"size": "1", "zip": "4040", "garden": "no"},
        {"size": None, "zip": None, "garden": None},
        {"size": "2", "zip": None, "garden": "yes"},
    ]
