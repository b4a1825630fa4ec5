"""A library of programs that proved themselves: written, read, searched by the scene, shown, on
record."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import SecretStr

from agent import proposers
from agent.checking.sighting import sight
from agent.cli import main
from agent.config import SearchConfig
from agent.core.protocols import Known, Move
from agent.models.options import ModelOptions
from agent.prompting.likeness import LIKE, distance, measures
from agent.proposers import Access
from agent.proposers.offline import OfflineProposer
from agent.run import library
from agent.run.store import Store
from agent.search import steps as search
from benchmarks.kills import clip
from tests.llm import scenes
from tests.llm.server import KEY, Answer, ScriptedServer, text_of
from tests.llm.test_in_flight import failing
from tests.llm.test_search import NOTHING, config, events, run
from tools import media
from tools.errors import UsageError
from tools.types import Task


def seen(task):
    return measures(sight(task.test[0].frames, thin=True))


def entry(task, words, programs=scenes.SLIDING):
    return library.Entry(library.slug(words), programs, words, 0.9, "a-run", seen(task))


# --------------------------------------------------------------------------------------------------


def test_scenes_are_told_apart_by_how_things_move():
    ball, pendulum = seen(scenes.thrown_ball()), seen(scenes.pendulum(20))
    longer = seen(scenes.thrown_ball(11))
    assert distance(ball, ball) == 0 and distance(ball, longer) < distance(ball, pendulum)
    assert ball["moving"] == 1 and ball["fall"] > 0.5 and ball["reversals"] == 0
    assert pendulum["turning"] >= 1 and seen(scenes.collision())["moving"] == 2
    assert distance({}, ball) == LIKE


def test_a_library_is_a_folder_that_a_person_can_read_and_add_to(tmp_path):
    first = library.write(tmp_path, entry(scenes.sliders(), "Two boxes slide. More words."))
    again = library.write(tmp_path, entry(scenes.sliders(), "Two boxes slide."))
    assert (first.name, again.name) == ("two-boxes-slide", "two-boxes-slide-2")
    note = json.loads((first / "memory.json").read_text())
    assert note["words"] == "Two boxes slide. More words." and note["scene"]["moving"] == 2
    mine = tmp_path / "mine"
    mine.mkdir()
    for stage, source in scenes.SWINGING.items():
        (mine / f"{stage}.py").write_text(source)
    (mine / "memory.json").write_text('{"words": "A pendulum of my own."}')
    names = [one.name for one in library.read(tmp_path)]
    assert names == ["mine", "two-boxes-slide", "two-boxes-slide-2"]
    (mine / "memory.json").write_text('{"words": 3}')
    with pytest.raises(Exception, match="words"):
        library.read(tmp_path)
    with pytest.raises(UsageError, match="run-agent remember"):
        library.read(tmp_path / "nowhere")


def test_a_draft_is_shown_what_worked_on_scenes_like_this_one(tmp_path):
    library.write(tmp_path / "lib", entry(scenes.sliders(), "Two boxes slide with friction."))
    library.write(tmp_path / "lib", entry(scenes.pendulum(20), "It swings.", scenes.SWINGING))
    with ScriptedServer(lambda request: Answer(failing("x"))) as server:
        memory = str(tmp_path / "lib")
        settings = config(server, policy="best-of-n", budget=1, model={"memory": memory})
        run(scenes.sliders(), settings, tmp_path / "run")
        draft = text_of(server.requests[0])
    assert "From earlier work" in draft and "Two boxes slide with friction." in draft
    assert "rate at which the speed dies away" in draft
    (told,) = events(tmp_path / "run", "remembered")
    assert told["entries"][0]["name"] == "two-boxes-slide-with-friction"
    assert told["entries"][0]["distance"] < 0.5
    assert told["entries"][0]["dynamics"] == scenes.SLIDING.dynamics


def test_what_was_remembered_is_taken_from_the_trace_in_later_sessions(tmp_path):
    """The library may have changed meanwhile, or be somebody else's folder."""
    library.write(tmp_path / "lib", entry(scenes.sliders(), "Two boxes slide."))
    with ScriptedServer(lambda request: Answer(failing("x"))) as server:
        options = ModelOptions("m", server.url, memory=str(tmp_path / "lib"))
        made = proposers.make(
            SearchConfig(proposer="llm", model=options),
            Store(tmp_path / "store"),
            Access(SecretStr(KEY)),
        )
        first = made.begin(Known(scenes.sliders()))
        draft = made.composer.programs(scenes.sliders(), scenes.archive_of(), Move("draft"), (), 0)
        made.library = "/nowhere"
        assert made.begin(Known(scenes.sliders(), remembered=first)) == first
        again = made.composer.programs(scenes.sliders(), scenes.archive_of(), Move("draft"), (), 0)
        made.begin(Known(scenes.sliders(), remembered=()))
        without = made.composer.programs(
            scenes.sliders(), scenes.archive_of(), Move("draft"), (), 0
        )
    assert draft == again != without


def test_a_finished_run_is_remembered_by_a_command(tmp_path, capsys):
    video = media.read(str(clip(tmp_path / "clip.npz")), 0, None)
    task = Task((), (replace(video, frames=video.frames[:14]),), 14, 4)
    settings = SearchConfig(budget=1)
    search.run(task, NOTHING, settings, proposer=OfflineProposer(), out=tmp_path / "run")
    assert main(["remember", str(tmp_path / "run"), "--to", str(tmp_path / "lib")]) == 0
    (one,) = library.read(tmp_path / "lib")
    assert one.run == "run" and one.score > 0.5 and one.scene["moving"] == 1
    assert np.isfinite(list(one.scene.values())).all()
    assert main(["remember", str(tmp_path / "lib"), "--to", str(tmp_path / "lib")]) == 2
    assert "expected the folder of a run" in capsys.readouterr().err
