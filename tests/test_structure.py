"""The rules of the layout that a grader or the next reader depends on."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("my_submission", "evaluator", "submitting", "training")


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the module and the name of every import in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from ((node.module or "", alias.name) for alias in node.names)


def test_the_submission_needs_one_name_of_the_evaluator_and_no_training() -> None:
    for path in [*sources("my_submission"), ROOT / "predict.py"]:
        for module, name in imports(path):
            package = module.partition(".")[0]
            assert package != "training", path
            if package == "evaluator":
                assert (module, name) == (
                    "evaluator.music_demixing",
                    "MusicDemixingPredictor",
                ), path


def test_only_the_predictor_needs_the_evaluator() -> None:
    # The grader of 2023 has no folder `evaluator` at all.
    for path in sources("my_submission"):
        if path.name != "predictor.py":
            assert not [module for module, _ in imports(path) if module.startswith("evaluator")]


def test_the_evaluators_protocol_stands_alone() -> None:
    commands = {
        "command_errors.py",
        "commands.py",
        "commands_of_runs.py",
        "demo_songs.py",
        "evaluation.py",
        "run_description.py",
    }
    for path in sources("evaluator"):
        if path.name not in commands:
            assert not [m for m, _ in imports(path) if m.startswith(("my_submission", "training"))]


def test_training_takes_little_of_the_submission_and_gives_nothing() -> None:
    for path in sources("evaluator", "my_submission", "submitting"):
        assert not [module for module, _ in imports(path) if module.startswith("training")], path


def test_training_without_lightning_needs_none_of_it() -> None:
    # Data, conversion and the generator of songs start at once; Lightning takes seconds.
    needing = {"phase1", "phase2", "data"}
    for path in sources("training"):
        if path.relative_to(ROOT / "training").parts[0] not in needing:
            assert not [module for module, _ in imports(path) if module.startswith("lightning")]


def test_nothing_that_the_grader_runs_needs_what_submits() -> None:
    for path in [*sources("evaluator", "my_submission", "training"), ROOT / "predict.py"]:
        assert not [module for module, _ in imports(path) if module.startswith("submitting")], path


LAYERS = [
    ["errors", "stems", "display"],
    ["audio", "stft", "weights", "compute", "devices", "measuring", "endings", "download", "fetch"],
    ["costs"],
    ["cascade", "chunking", "streams", "networks"],
    ["parts"],
    ["separators"],
    ["systems"],
    ["separator"],
    ["budget"],
    ["music_separation_model"],
    ["user_config"],
    ["predictor", "aicrowd_wrapper", "cli", "__init__", "__main__"],
]
"""The modules of the submission; each may import those of its own layer and of earlier ones."""


def test_dependencies_point_down() -> None:
    height = {name: layer for layer, names in enumerate(LAYERS) for name in names}
    for path in sources("my_submission"):
        own = path.relative_to(ROOT / "my_submission").parts[0].removesuffix(".py")
        for module, name in imports(path):
            if module.partition(".")[0] != "my_submission":
                continue
            part = [*module.split("."), name][1]
            if module != "my_submission" or part in height:
                assert height[part] <= height[own], f"{path}: {module} {name}"


def pins() -> dict[str, str]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    found = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    return {normal(name): version for name, version in found.items()}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_requirements_pin_everything_that_the_submission_imports() -> None:
    distributions = packages_distributions()
    programs = [ROOT / "predict.py", ROOT / "evaluate_locally.py"]
    for path in [*sources("my_submission", "evaluator"), *programs]:
        for module, _ in imports(path):
            package = module.partition(".")[0]
            local = package in (*PACKAGES, "predict") or package in sys.stdlib_module_names
            if local or package in {"aicrowd_api", ""}:  # the grader brings aicrowd_api
                continue
            names = {normal(name) for name in distributions[package]}
            if "onnxruntime" in names:  # the image has a GPU
                names = {"onnxruntime-gpu"}
            assert names & set(pins()), f"{path} imports {package}"


def test_requirements_are_within_the_ranges_that_we_test() -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ranges = [*project["dependencies"], *project["optional-dependencies"]["gpu"]]
    for line in [*ranges, *project["optional-dependencies"]["score"]]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(pins()[normal(requirement.name)]), line


def test_the_challenge_finds_its_files() -> None:
    for name in ("predict.py", "run.sh", "aicrowd.json", "apt.txt", "requirements.txt"):
        assert (ROOT / name).is_file(), name
    assert (ROOT / "run.sh").stat().st_mode & 0o111
