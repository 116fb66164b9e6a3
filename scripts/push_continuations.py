"""Pushes a finished run of scripts/continue_midi.py to the Hub, with its report and a card, as a dataset repository.

python scripts/push_continuations.py runs/quickstart/continuations user/quickstart-continuations
python scripts/push_continuations.py runs/quickstart/continuations user/quickstart-continuations \
    --report runs/quickstart/report --private
"""

import argparse
import logging

from neuromusic_hf import command_line, reports


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("continuations", help="folder of a finished run of scripts/continue_midi.py")
    parser.add_argument("repository", help="id of the dataset repository; made if missing")
    parser.add_argument("--report", help="folder that scripts/score_continuations.py wrote of the run")
    parser.add_argument("--private", action="store_true", default=None, help="make a new repository private")
    parser.add_argument("--revision", help="branch to push to, made if missing; main if not given")
    parser.add_argument("--tag", help="tag the commit")
    parser.add_argument("--create_pr", action="store_true", help="open a pull request in place of committing")
    return parser.parse_args()


def main():
    args = parse_arguments()
    command_line.show_log()
    commit = reports.push_continuations(
        args.continuations,
        args.repository,
        args.report,
        private=args.private,
        revision=args.revision,
        tag=args.tag,
        create_pr=args.create_pr,
    )
    logging.info("Pushed: %s", commit.commit_url)


if __name__ == "__main__":
    main()
