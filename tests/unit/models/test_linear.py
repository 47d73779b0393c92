"""The linear backbone against scikit-learn's TF-IDF."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from tuner.config import load_settings
from tuner.features import Encoded
from tuner.records import TrialSeeds
from tuner.training import LabelledTexts, fit, predict_probabilities, prepare_fit

SIZE = 30


def part(n, seed):
    """Texts of one to six tokens, no token twice; one of 2 and 3 tells the class."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n).astype(np.int32)
    texts = [
        [2 + label, *generator.permutation(np.arange(4, SIZE))[: generator.integers(0, 6)]]
        for label in labels
    ]
    flat = np.concatenate(texts).astype(np.int32)
    return LabelledTexts(Encoded(flat, np.array([len(t) for t in texts], np.int32)), labels)


def as_words(part):
    ends = np.cumsum(part.texts.lengths)
    return [" ".join(map(str, ids)) for ids in np.split(part.texts.flat, ends[:-1])]


@pytest.fixture(scope="module")
def trained():
    train, other = part(90, 0), part(40, 1)
    settings = load_settings(
        overrides=[
            ("model.backbone", "linear"), ("training.batch_size", 8), ("training.epochs", 3),
            ("training.learning_rate", 0.002),
        ]
    )  # fmt: skip
    data = prepare_fit(train, other, other, vocabulary_size=SIZE, max_tokens=6, classes=["a", "b"])
    outcome = fit(
        settings, data, seeds=TrialSeeds(1, 2, 3), report=lambda **_: None,
        stop_requested=lambda: None,
    )  # fmt: skip
    return settings, data, outcome, train, other


def test_tokens_weigh_what_scikit_learn_says_and_unknown_ones_nothing(trained):
    _, _, outcome, train, _ = trained
    tfidf = TfidfVectorizer(token_pattern=r"\d+").fit(as_words(train))

    weights = outcome.weights["scores/embedding/embeddings"][:, -1]

    tokens = [int(token) for token in tfidf.get_feature_names_out()]
    np.testing.assert_allclose(weights[tokens], tfidf.idf_, rtol=1e-6)
    assert weights[0] == weights[1] == 0.0


def test_scores_are_the_product_of_tf_idf_and_the_table(trained):
    settings, data, outcome, train, other = trained
    tfidf = TfidfVectorizer(token_pattern=r"\d+").fit(as_words(train))
    tokens = [int(token) for token in tfidf.get_feature_names_out()]
    table = outcome.weights["scores/embedding/embeddings"][tokens, :-1]
    factor = outcome.weights["scale/scale/factor"]
    kernel, bias = (outcome.weights[f"head/head/{name}"] for name in ("kernel", "bias"))

    found = predict_probabilities(
        settings, outcome.weights, other.texts, edges=data.layout.edges, vocabulary_size=SIZE,
        n_classes=2,
    )  # fmt: skip

    logits = tfidf.transform(as_words(other)) @ table * factor @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert outcome.value > 0.9
