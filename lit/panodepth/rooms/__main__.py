"""Ray-cast rooms into a folder: ``python -m lit.panodepth.rooms DIR``."""

import argparse
import os
import time
from pathlib import Path

from lit.panodepth.rooms.make import PER_SCENE, Order, make_rooms


def main() -> None:
    default = Order()
    parser = argparse.ArgumentParser("python -m lit.panodepth.rooms", description=__doc__)
    parser.add_argument("folder", metavar="DIR", type=Path, help="is made; it must not be there yet")
    parser.add_argument("--rooms", type=int, default=default.n_rooms, help="how many (%(default)s)")
    parser.add_argument("--height", type=int, default=default.height, help="pixels, half the width (%(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed, help="of all that is drawn (%(default)s)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="at a time (%(default)s)")
    args = parser.parse_args()
    if args.folder.exists():
        parser.error(f"{args.folder} is there already; give the name of a new folder")
    if args.rooms <= PER_SCENE:
        parser.error(f"--rooms: must be above {PER_SCENE}, for a training and a validation scene, got {args.rooms}")

    begin = time.monotonic()
    make_rooms(args.folder, Order(n_rooms=args.rooms, height=args.height, seed=args.seed), args.processes)
    print(f"{args.rooms} rooms in {args.folder}, {time.monotonic() - begin:.1f} s")


if __name__ == "__main__":
    main()
