"""Read every problem and candidate that comes with regbench, and combine each with each."""

from regbench import catalog, datasets, models
from regbench.tuning import space


def main() -> None:
    problems = [catalog.problem(name) for name in catalog.problem_names()]
    candidates = [catalog.candidate(name) for name in catalog.candidate_names()]
    for problem in problems:
        datasets.get(problem.dataset)
        if ":" not in problem.model.name and problem.model.name not in models.names():
            raise SystemExit(f"testproblems/{problem.name}.toml: there is no model {problem.model.name}")
        for candidate in candidates:
            space.resolve(candidate, space.defaults(candidate), problem)
    print(f"{len(problems)} problems and {len(candidates)} candidates hold together")


if __name__ == "__main__":
    main()
