"""Every bad input ends in one clear line, with the decided exit code, nothing half-written."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.conftest import SMALL, command, environment, make_rows, run_tuner, write_csv

GOOD_ROWS = make_rows(60)


@pytest.fixture
def folder(tmp_path):
    write_csv(tmp_path / "good.csv", GOOD_ROWS)
    write_csv(tmp_path / "one_class.csv", [(text, "a") for text, _ in GOOD_ROWS])
    write_csv(tmp_path / "tiny.csv", GOOD_ROWS[:6])
    write_csv(tmp_path / "same.csv", [("很好", label) for _, label in GOOD_ROWS])
    write_csv(tmp_path / "empty_text.csv", [("", label) for _, label in GOOD_ROWS])
    write_csv(tmp_path / "ids.csv", [(text, str(n)) for n, (text, _) in enumerate(GOOD_ROWS)])
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("text,label\n")
    (tmp_path / "broken.csv").write_bytes(b"text,label\nok,a\n\xff\xff\xff,b\n")
    (tmp_path / "ragged.csv").write_text("text,label\na,b,c\n")
    (tmp_path / "broken.jsonl").write_text("{]\n")
    (tmp_path / "notes.txt").write_text("my notes")
    (tmp_path / "bad_study").mkdir()
    (tmp_path / "bad_study" / "study.toml").write_text("[model]\ndropuot = 0.1\n")
    (tmp_path / "no_toml").mkdir()
    (tmp_path / "no_toml" / "study.toml").write_text("[model\n")
    (tmp_path / "a_file").write_text("")
    (tmp_path / "nul.csv").write_bytes(b"text,label\nab\0c,a\n")
    (tmp_path / "nested.json").write_text('[{"text": {"zh": "a"}, "label": "b"}]')
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "open.csv").write_text('text,label\na,b\n"open,b\nc,b\n')
    write_csv(tmp_path / "other.csv", [("新的" + text, "x") for text, _ in GOOD_ROWS[:9]])
    write_csv(tmp_path / "one_row.csv", [("只有一行的文本", "正面")])
    (tmp_path / "split" / "data").mkdir(parents=True)
    (tmp_path / "split" / "data" / "manifest.json").write_text("{}")
    return tmp_path


DATA = ["--data", "good.csv"]
CASES = [
    (["--data", "nowhere.csv"], 3, ["nowhere.csv", "no such file"]),
    (["--data", "empty.csv"], 3, ["empty.csv", "empty"]),
    (["--data", "header.csv"], 3, ["header.csv", "no rows"]),
    (["--data", "broken.csv"], 3, ["broken.csv, line 3", "UTF-8"]),
    (["--data", "ragged.csv"], 3, ["ragged.csv, line 2", "3 cells"]),
    (["--data", "broken.jsonl"], 3, ["broken.jsonl, line 1"]),
    (["--data", "notes.txt"], 3, ["notes.txt", "ending"]),
    (["--data", "one_class.csv"], 3, ["one_class.csv, line 2", "at least 2 classes", "'a'"]),
    (["--data", "tiny.csv"], 3, ["tiny.csv", "at least 20", "6"]),
    (["--data", "same.csv"], 3, ["no row is left"]),
    (["--data", "empty_text.csv"], 3, ["empty_text.csv", "no row has both"]),
    (["--data", "ids.csv"], 3, ["ids.csv, line", "label column"]),
    ([*DATA, "--text", "contents"], 3, ["--text", "'contents'", "Columns: text, label"]),
    ([*DATA, "--label", "labels"], 3, ["--label", "Did you mean 'label'"]),
    ([*DATA, "--label", "text"], 2, ["--label", "'text'"]),
    ([*DATA, "--test", "nowhere.csv"], 3, ["nowhere.csv", "no such file"]),
    ([*DATA, "--test", "other.csv"], 3, ["other.csv, line 2", "no label", "'x'", "'正面'"]),
    ([*DATA, "--test", "one_row.csv"], 3, ["one_row.csv, line 2", "at least 2 rows"]),
    (["--data", "nul.csv"], 3, ["nul.csv, line 2", "NUL"]),
    (["--data", "nested.json"], 3, ["nested.json, line 1", "'text'", "dict"]),
    (["--data", "deep.json"], 3, ["deep.json, line 1", "deep"]),
    (["--data", "open.csv"], 3, ["open.csv, line 3", "never closed"]),
    (["--data", "split"], 3, ["split/data/manifest.json", "'origin'"]),
    (["--data", "sqlite:///x.db"], 2, ["data.query"]),
    (["--data", "sqlite:///x.db", "--query", "select 1"], 3, ["no such file", "x.db"]),
    (["--data", "nonsense://x", "--query", "select 1"], 2, ["--data", "URL"]),
    ([*DATA, "--trails", "3"], 2, ["--trails", "--trials"]),
    ([*DATA, "--trials", "0"], 2, ["--trials", "0"]),
    ([*DATA, "--timeout", "soon"], 2, ["--timeout", "soon"]),
    ([*DATA, "--seed", "-1"], 2, ["--seed", "-1"]),
    ([*DATA, "--sampler", "tpee"], 2, ["sampler.name", "Did you mean 'tpe'"]),
    ([*DATA, "--set", "pruner.name=hyperbnad"], 2, ["pruner.name", "Did you mean 'hyperband'"]),
    ([*DATA, "--metric", "f1"], 2, ["study.metric", "macro_f1"]),
    ([*DATA, "--set", "model.dropuot=0.1"], 2, ["Did you mean 'model.dropout'"]),
    ([*DATA, "--set", "training.learning_rate=-1"], 2, ["learning_rate", "greater than 0", "-1"]),
    ([*DATA, "--set", "nonsense"], 2, ["KEY=VALUE"]),
    ([*DATA, "--set", "model.backbone=bert"], 2, ["model.backbone", "average, bigru", "textcnn"]),
    ([*DATA, "--set", "preprocess.stop_words=klingon"], 2, ["preprocess.stop_words", "klingon"]),
    ([*DATA, "--set", "preprocess.dictionary=no.txt"], 2, ["preprocess.dictionary", "no.txt"]),
    (["--study", "quikstart"], 2, ["Did you mean 'quickstart'"]),
    (["--study", "bad_study"], 2, ["Did you mean 'model.dropout'"]),
    (["--study", "no_toml"], 2, ["not valid TOML"]),
    ([*DATA, "--storage", "mysql://u@h/d"], 2, ["--storage", "mysql"]),
    ([*DATA, "--storage", "nonsense"], 2, ["--storage", "nonsense"]),
    ([*DATA, "--storage", ""], 2, ["--storage", "''"]),
    ([*DATA, "--storage", "sqlite:///notes.txt"], 1, ["notes.txt", "no SQLite database"]),
    ([*DATA, "--storage", "sqlite:////dev/full/x.db"], 1, ["/dev/full"]),
    ([*DATA, "--storage", "postgresql://u:geheim@127.0.0.1:9/d", "--storage-wait", "1s"], 1,
     ["127.0.0.1"]),
    ([*DATA, "--study-name", "../x"], 2, ["--study-name", "../x"]),
    ([*DATA, "--output", "a_file"], 2, ["--output", "a_file"]),
    ([*DATA, "--output", "/proc/tuner"], 1, ["/proc/tuner"]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "words"), CASES, ids=lambda v: str(v)[:60])
def test_bad_input_ends_in_one_clear_line(folder, arguments, code, words, in_process):
    before = {path.name for path in folder.iterdir()}

    returned, said = in_process(folder, ["--trials", "1", *SMALL, *arguments])

    assert returned == code, said
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, said
    assert all(word in errors[0] for word in words), errors[0]
    assert "Traceback" not in said
    assert "geheim" not in said
    assert not list(folder.glob("**/best_params.json"))
    if code in (2, 3):
        assert {path.name for path in folder.iterdir()} == before
    assert (folder / "notes.txt").read_text() == "my notes"


@pytest.fixture
def in_process(monkeypatch, capsys):
    """Run the command in this process: starting TensorFlow forty times would take minutes."""
    from tuner.cli.main import run_command
    from tuner.cli.optimize import optimize

    def run(cwd, arguments):
        monkeypatch.chdir(cwd)
        monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
        code = run_command(optimize, arguments)
        return code, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["predict", "x"], 2, "holds no results yet"),
        (["predict"], 2, "either texts or --input"),
        (["predict", "--model", "nowhere", "x"], 1, "no model folder"),
        (["best", "--study-name", "x"], 2, "no results"),
        (["status"], 2, "no such file"),
        (["statsu"], 2, "Did you mean 'status'"),
        (["dashboard", "--host", "0.0.0.0"], 2, "--host"),
        (["check", "--data", "nowhere.csv"], 3, "no such file"),
        (["collect", "--data", "one_class.csv", "--output", "p"], 3, "2 classes"),
    ],
)
def test_other_commands_fail_as_clearly(folder, arguments, code, words, monkeypatch, capsys):
    from tuner.cli.main import cli, run_command

    monkeypatch.chdir(folder)
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)

    assert run_command(cli, arguments) == code
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_study_is_not_made_where_its_results_have_no_place(folder, in_process):
    elsewhere = ["--storage", "sqlite:///studies.db", "--output", "/proc/tuner"]

    returned, said = in_process(folder, [*DATA, *SMALL, "--trials", "1", *elsewhere])

    assert returned == 1
    assert "/proc/tuner" in said
    assert not (folder / "studies.db").exists()


def test_cache_that_cannot_be_made_is_told_while_tensorflow_loads(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(60))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/cache").write_text("no folder")

    result = run_tuner("optimize", "--data", "reviews.csv", *SMALL, cwd=tmp_path)

    assert result.returncode == 1
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert "runs/cache" in error


def test_locked_database_is_waited_for(folder):
    database = sqlite3.connect(folder / "busy.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("BEGIN IMMEDIATE")
    process = subprocess.Popen(
        command("optimize", *DATA, *SMALL, "--trials", "1", "--storage", "sqlite:///busy.db"),
        cwd=folder, env=environment(), text=True, encoding="utf-8",
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        n_seen = 0
        while process.poll() is None and n_seen < 20:  # two seconds; SQLite itself waits for one
            n_seen += has_open(process.pid, folder / "busy.db")
            time.sleep(0.1)
        database.execute("ROLLBACK")
        database.close()
        said = process.communicate(timeout=200)[1]
    finally:
        process.kill()

    assert n_seen == 20, said
    assert process.returncode == 0, said


def has_open(pid, path):
    with suppress(psutil.NoSuchProcess):
        return any(file.path == str(path) for file in psutil.Process(pid).open_files())
    return False


def test_help_knows_every_command_and_loads_nothing_heavy(folder):
    code = (
        "import sys\n"
        "from tuner.cli.main import cli, run_command\n"
        "run_command(cli, ['--help'])\n"
        "import tuner\n"
        "heavy = {'tensorflow', 'optuna', 'pandas', 'pydantic', 'keras'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], env=environment(), text=True,
                            capture_output=True, check=False, cwd=folder)  # fmt: skip

    assert result.returncode == 0, result.stderr
    for name in ("optimize", "status", "best", "predict", "dashboard", "check", "collect"):
        assert name in result.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Give the folder of a model that one short trial trained."""
    folder = tmp_path_factory.mktemp("trained")
    write_csv(folder / "good.csv", GOOD_ROWS)
    result = run_tuner("optimize", *DATA, *SMALL, "--trials", "1", cwd=folder)
    assert result.returncode == 0, result.stderr
    return next((folder / "runs").glob("*/best_model"))


@pytest.fixture
def predict(monkeypatch, capsys):
    """Predict in this process."""
    from tuner.cli.main import cli, run_command

    def run(*arguments):
        code = run_command(cli, ["predict", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def set_key(path, section, key, value):
    content = json.loads(path.read_text(encoding="utf-8"))
    (content[section] if section else content)[key] = value
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda m: set_key(m / "settings.json", "model", "dropuot", 1), "model.dropuot"),
        (lambda m: set_key(m / "settings.json", "model", "dropout", "x"), "model.dropout"),
        (lambda m: set_key(m / "settings.json", "model", "backbone", "bert"), "'bert'"),
        (lambda m: set_key(m / "settings.json", "model", "embedding_width", 16), "shape"),
        (lambda m: set_key(m / "model.json", None, "edges", []), "edges"),
        (lambda m: (m / "labels.json").write_text("{}"), "labels.json"),
        (lambda m: (m / "vocabulary.json").write_text('["[PAD]", "x"]'), "vocabulary.json"),
        (lambda m: (m / "weights.npz").write_bytes(b"PK"), "weights"),
        (lambda m: (m / "weights.npz").unlink(), "weights.npz"),
    ],
)
def test_damaged_model_folder_ends_in_one_clear_line(trained, tmp_path, predict, damage, words):
    model = Path(shutil.copytree(trained, tmp_path / "model"))
    damage(model)

    code, shown, said = predict("--model", model, "房间很好")

    assert (code, shown) == (1, ""), said
    assert said.startswith(f"error: {model}")
    assert said.count("\n") == 1
    assert words in said
    assert "http" not in said


def test_every_line_of_a_text_file_gives_one_prediction(trained, tmp_path, predict):
    (tmp_path / "x.txt").write_bytes("很好\n\n第一\u2028第二\r\n \n很差".encode())

    code, shown, said = predict("--model", trained, "--input", tmp_path / "x.txt", "--json")

    assert code == 0, said
    texts = [json.loads(line)["text"] for line in shown.rstrip("\n").split("\n")]
    assert texts == ["很好", "", "第一\u2028第二", " ", "很差"]


def test_text_file_without_a_line_is_refused(trained, tmp_path, predict):
    (tmp_path / "x.txt").write_text("")

    code, _, said = predict("--model", trained, "--input", tmp_path / "x.txt")

    assert code == 3
    assert "x.txt: the file is empty" in said


def shown_texts(shown):
    return [json.loads(line)["text"] for line in shown.rstrip("\n").split("\n")]


def with_columns(trained, tmp_path, columns):
    """Give a copy of the model as if it had been trained on other columns."""
    model = Path(shutil.copytree(trained, tmp_path / "model"))
    about = json.loads((model / "model.json").read_text(encoding="utf-8"))["about"]
    set_key(model / "model.json", None, "about", about | {"text_columns": columns})
    return model


def test_the_column_that_training_found_is_the_one_that_is_predicted(trained, tmp_path, predict):
    assert json.loads((trained / "model.json").read_text())["about"]["text_columns"] == ["text"]
    model = with_columns(trained, tmp_path, ["review"])
    (tmp_path / "x.csv").write_text("text,review\n标题,很好\n", encoding="utf-8")

    code, shown, said = predict("--model", model, "--input", tmp_path / "x.csv", "--json")

    assert (code, said) == (0, "")
    assert shown_texts(shown) == ["很好"]


def test_another_column_than_that_of_training_is_named(trained, tmp_path, predict):
    (tmp_path / "x.csv").write_text("content\n很好\n", encoding="utf-8")

    code, shown, said = predict("--model", trained, "--input", tmp_path / "x.csv", "--json")

    assert (code, shown_texts(shown)) == (0, ["很好"])
    assert said.count("\n") == 1
    assert "no column 'text'" in said and "'content' is read" in said and "--text" in said


def test_a_table_with_some_of_the_columns_of_training_is_refused(trained, tmp_path, predict):
    model = with_columns(trained, tmp_path, ["title", "text"])
    (tmp_path / "x.csv").write_text("text\n很好\n", encoding="utf-8")

    code, shown, said = predict("--model", model, "--input", tmp_path / "x.csv")

    assert (code, shown, said.count("\n")) == (3, "", 1)
    assert "columns title, text" in said and "title is not there" in said and "--text" in said
    asked = predict("--model", model, "--input", tmp_path / "x.csv", "--text", "text", "--json")
    assert (asked[0], shown_texts(asked[1])) == (0, ["很好"])


def test_a_model_of_before_that_names_no_column_reads_the_usual_one(trained, tmp_path, predict):
    model = with_columns(trained, tmp_path, None)
    (tmp_path / "x.csv").write_text("content\n很好\n", encoding="utf-8")

    code, shown, said = predict("--model", model, "--input", tmp_path / "x.csv", "--json")

    assert (code, said, shown_texts(shown)) == (0, "", ["很好"])
