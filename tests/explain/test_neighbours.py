"""Each category against the logs of every other: none shows on another's, but as a consequence that is named."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "scripts"))

from explain_score import PARTS, examples, score

# logs that show two faults for real: a wheel that fails and a torch that was swapped, gcc too new and glibc too
MOST_SHARE = 0.03
MOST_OF_ONE = 3


def test_no_category_fires_on_the_logs_of_another() -> None:
    scored = [score(example) for part in PARTS for example in examples(part)]
    more = [one for one in scored if one.right and one.others]
    said = [f"{one.example.name}: {one.said}, and {', '.join(one.others)}" for one in more]
    assert len(more) <= MOST_SHARE * len(scored), said
    pairs = Counter((one.said, other) for one in more for other in one.others)
    assert all(count <= MOST_OF_ONE for count in pairs.values()), pairs.most_common(3)
