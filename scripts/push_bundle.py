"""Pushes the bundle of a training run to the Hub: the model and all that belongs to it, with a card.

    python scripts/push_bundle.py runs/quickstart user/quickstart --private
    python scripts/push_bundle.py runs/quickstart user/quickstart --report runs/quickstart/report --tag v1

A push that broke off is gone on with by the same command. Log in with `hf auth login`, or set HF_TOKEN.
"""

import argparse
import logging

from neuromusic_hf import command_line, reports


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", help="folder of a training run, of a bundle or of an adapter")
    parser.add_argument("repository", help="id of the repository; made if missing")
    parser.add_argument(
        "--report", help="folder that scripts/score_continuations.py wrote; the run's own, if it has one, if not given"
    )
    parser.add_argument("--private", action="store_true", default=None, help="make a new repository private")
    parser.add_argument("--revision", help="branch to push to, made if missing; main if not given")
    parser.add_argument("--tag", help="tag the commit")
    parser.add_argument("--create_pr", action="store_true", help="open a pull request in place of committing")
    parser.add_argument("--base_model", help="Hub id of the model that an adapter changes, if it names a folder")
    parser.add_argument("--commit_message", help="of the commit")
    return parser.parse_args()


def main():
    args = parse_arguments()
    command_line.show_log()
    commit = reports.push_run(
        args.bundle,
        args.repository,
        args.report,
        private=args.private,
        revision=args.revision,
        tag=args.tag,
        create_pr=args.create_pr,
        base_model=args.base_model,
        commit_message=args.commit_message,
    )
    logging.info("Pushed: %s", commit.commit_url)


if __name__ == "__main__":
    main()
