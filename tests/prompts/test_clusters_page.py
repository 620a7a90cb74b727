import base64
import io
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from valuedrift.config.prompts import CategoryConfig, ClustersPageJob, MapJob, SuggestionJob
from valuedrift.errors import UserError
from valuedrift.io.tables import EMBEDDINGS, MAP2D, NGRAMS, QUESTIONS
from valuedrift.prompts import map2d, page, suggestion
from valuedrift.prompts.cluster_map import cluster_colour, densest_point, draw_map, separate_labels

IDS = [f"p{n}" for n in range(6)]
TEXTS = ["Is <b>war</b> just?", "Should we arm?", "Is peace near?", "Is cake " + "very " * 60 + "good?", "???", "Who votes?"]


@pytest.fixture
def write_page(place, clustered, tmp_path):
    """Return a function that assigns the six prompts, writes their page and returns its text."""

    def run(seed=0, exclude=None, **clusters):
        place(exclude=exclude, **clusters)
        paths = {name: tmp_path / f"{name}.parquet" for name in ("ngrams", "questions", "coordinates")}
        rows = [{"cluster": n, "rank": 0, "ngram": f"term{n}", "weight": 0.25} for n in range(4)]
        NGRAMS.write(NGRAMS.frame(rows), paths["ngrams"])
        QUESTIONS.write(pl.DataFrame({"source_id": IDS, "source_text": TEXTS, "question": TEXTS}), paths["questions"])
        places = [{"source_id": i, "x": float(n), "y": float(n % 2)} for n, i in enumerate(IDS)]
        MAP2D.write(MAP2D.frame(places), paths["coordinates"])
        block = SuggestionJob(categories={n: CategoryConfig(topic="t") for n in ("Politics", "Law")}, min_similarity=0.5)
        suggestion.run(config=block, categories=clustered["output"], output=tmp_path / "suggestion.yaml")
        page.run(
            config=ClustersPageJob(title="A & B", seed=seed, min_similarity=0.5), clusters=clustered["clusters"],
            embeddings=clustered["embeddings"], categories=clustered["output"], suggestion=tmp_path / "suggestion.yaml",
            output=tmp_path / "clusters.html", **paths,
        )  # fmt: skip
        return (tmp_path / "clusters.html").read_text()

    return run


class Outline(HTMLParser):
    """The texts, ids, links and pictures of a page; fails if tags are not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.pictures, self.texts = [], set(), [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids.add(given.get("id"))
        self.links += [given["href"]] if "href" in given else []
        self.pictures += [given["src"]] if "src" in given else []
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(" ".join(data.split()))


def test_the_page_embeds_its_picture_and_its_links_have_targets(write_page):
    outline = Outline(write_page())
    assert {link.removeprefix("#") for link in outline.links} - {""} <= outline.ids
    (picture,) = outline.pictures
    assert base64.b64decode(picture.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


def test_the_page_describes_every_cluster(write_page):
    text = write_page()
    said = " ".join(Outline(text).texts)
    assert (
        "6 prompts, 4 clusters; 1 prompts (16.7%) are in no cluster. 1 of 2 categories have a cluster; no cluster was assigned to Law."
        in said
    )
    for n, name in enumerate(("war", "peace", "cake", "noise")):
        assert f"{n}&ensp;{name}" in text
        assert f"term{n} 0.250" in said
    assert "Politics : the most similar, at 1.00." in said
    assert "No category : Law is the most similar, at 0.32, below min_similarity (0.5)." in said
    assert "&lt;b&gt;war&lt;/b&gt;" in text
    assert "very …" in said
    assert said.index("prompts: categories:") > said.index("Nearest to the centroid")


def test_the_page_shows_the_terms_if_they_differ_from_the_name(write_page, renamed):
    assert "In the config:" not in write_page()
    renamed({0: "Armed <conflict>"})
    text = write_page()
    assert "0&ensp;Armed &lt;conflict&gt;</h2>" in text
    assert "<p>In the config: <code>war</code></p>" in text
    assert 'Armed &lt;conflict&gt;</a><div class="faint">war</div></td>' in text
    assert "- war  # Armed &lt;conflict&gt;; 1.00; 2 prompts" in text
    assert text.count("In the config:") == 1


def test_the_page_says_where_the_config_decided_the_category(write_page):
    said = " ".join(Outline(write_page(exclude={"Politics": ["war"]}, Law=["peace"])).texts)
    assert "No category : Politics is the most similar, at 1.00, but excludes it." in said
    assert "Law : named in the config; Politics is the most similar, at 0.99." in said


def test_equal_inputs_give_equal_bytes(write_page):
    assert write_page() == write_page()


def test_the_page_without_a_suggestion_is_an_error(clustered, tmp_path):
    nothing = tmp_path / "nothing"
    with pytest.raises(UserError, match="nothing is missing"):
        page.run(
            config=ClustersPageJob(title="", seed=0, min_similarity=0.5), ngrams=nothing, clusters=nothing, categories=nothing,
            questions=nothing, embeddings=nothing, coordinates=nothing, suggestion=nothing, output=tmp_path / "page.html",
        )  # fmt: skip


@pytest.fixture
def many():
    """Return the arguments of `describe_clusters` for one cluster of 40 prompts on an arc, in order from p00 to p39."""
    angles = np.linspace(0, 1, 40)
    ids = [f"p{n:02}" for n in range(40)]
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    prompts = pl.DataFrame({"source_id": ids, "question": ids, "cluster": 0}, schema_overrides={"cluster": pl.Int32})
    prompts = prompts.with_columns(pl.Series("vector", vectors.tolist(), dtype=pl.List(pl.Float32)))
    row = {"cluster": 0, "name": "arc", "terms": "arc", "prompts": 40, "nearest": "Law", "similarity": 0.9, "category": "Law"}
    return pl.DataFrame([row]), NGRAMS.frame([]), prompts


def described(many, seed):
    return page.describe_clusters(ClustersPageJob(title="", seed=seed, min_similarity=0.5), *many)[0]


def test_the_nearest_prompts_are_those_at_the_middle_of_the_arc(many):
    found = described(many, 0)
    assert {text for text, _ in found.typical} == {f"p{n:02}" for n in range(16, 24)}
    similarities = [similarity for _, similarity in found.typical]
    assert similarities == sorted(similarities, reverse=True)


def test_random_prompts_depend_on_the_seed_and_exclude_the_nearest(many):
    found, again, other = (described(many, seed) for seed in (0, 0, 1))
    assert found.drawn == again.drawn != other.drawn
    categories, *rest = many
    assert described((categories.with_columns(name=pl.lit("A bow")), *rest), 0).drawn == found.drawn
    assert len(set(found.drawn)) == page.PROMPTS_SHOWN
    assert not set(found.drawn) & {text for text, _ in found.typical}


def test_every_prompt_has_coordinates_on_the_map(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    frame = pl.DataFrame({"source_id": [str(n) for n in range(30)]})
    frame = frame.with_columns(pl.Series("vector", vectors.tolist(), dtype=pl.List(pl.Float32)))
    EMBEDDINGS.write(frame, tmp_path / "embeddings.parquet")
    map2d.run(config=MapJob(seed=3, neighbors=5), embeddings=tmp_path / "embeddings.parquet", output=tmp_path / "map.parquet")
    found = MAP2D.read(tmp_path / "map.parquet")
    assert found["source_id"].equals(frame["source_id"])
    assert found["x"].is_finite().all()
    assert found["x"].n_unique() == found["y"].n_unique() == 30


def test_clusters_differ_in_colour_and_noise_is_grey():
    assert len({cluster_colour(n) for n in range(-1, 60)}) == 61
    assert cluster_colour(-1) == "#c4c7cb"


def test_the_picture_shows_each_cluster_in_its_colour():
    from matplotlib.image import imread

    places = pl.DataFrame({"cluster": [0] * 40 + [1] * 40 + [-1] * 40, "x": range(120), "y": [n % 7 for n in range(120)]})
    pixels = imread(io.BytesIO(draw_map(places, {0: "0  war", 1: "1  peace $x$"})))[..., :3]
    for cluster in (0, 1, -1):
        wanted = np.asarray([int(cluster_colour(cluster)[n : n + 2], 16) for n in (1, 3, 5)]) / 255
        drawn = 0.75 * wanted + 0.25  # dots are 75% opaque on white
        assert (np.abs(pixels - drawn).max(axis=-1) < 0.02).sum() > 200


def test_a_label_stands_where_most_of_its_cluster_lies():
    x = [0.0, 0.1, 0.2, 0.1, 0.15, 50.0, 51.0, 52.0]
    at = densest_point(pl.DataFrame({"x": x, "y": [0.0] * 8}))
    assert 0 <= at[0] <= 0.2


@pytest.mark.parametrize("corner", [(0, 0), (800, 600), (1650, 1200)])
def test_labels_with_the_same_centre_are_separated_within_the_frame(corner):
    sizes, frame = np.tile([160.0, 24.0], (30, 1)), np.asarray([1650.0, 1200.0])
    places = separate_labels(np.tile(np.asarray(corner, dtype=float), (30, 1)), sizes, frame)
    gaps = np.abs(places[:, None] - places[None])
    overlap = (gaps < sizes).all(axis=-1)
    assert not overlap[~np.eye(30, dtype=bool)].any()
    assert (places >= sizes / 2).all()
    assert (places <= frame - sizes / 2).all()


def test_labels_that_do_not_overlap_stay_at_their_centres():
    centres = np.asarray([[300.0, 300.0], [900.0, 700.0]])
    assert separate_labels(centres, np.full((2, 2), 50.0), np.asarray([1650.0, 1200.0])).tolist() == centres.tolist()
