"""The carrier's own segment calculator as a second judge, where it is installed.

    npm install --prefix "${TMPDIR:-/tmp}/sms-segments-peer" sms-segments-calculator@1.3.0

Run as a program, it writes `data/segment_vectors.json` anew:
    python tests/billing/segment_peer.py
"""

import json
import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

PEER = "sms-segments-calculator@1.3.0"
HOME = Path(tempfile.gettempdir()) / "sms-segments-peer"
VECTORS = Path(__file__).with_name("data") / "segment_vectors.json"

_COUNT = """
const { SegmentedMessage } = require('sms-segments-calculator');
let input = '';
process.stdin.on('data', part => { input += part; }).on('end', () => {
  const counted = JSON.parse(input).map(text => {
    const message = new SegmentedMessage(text);
    return [message.encodingName, message.segmentsCount];
  });
  console.log(JSON.stringify(counted));
});
"""

_PLAIN = "abcdefghijklmnopqrstuvwxyz ABCXYZ 0123456789 @£$¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¡¿ÄÖÑÜ§äöñüà\n\r"
_EXTENSION = "\f^{}\\[~]|€"
_FOREIGN = "çêîőşţłżčЖжыё漢字かな한국어אבת‑“”…—`´•ªº"  # noqa: RUF001
_ACCENTED = ("e\u0301", "n\u0303\u0323", "a", "b", "q\u0323\u0307")
_PICTURES = (
    "\U0001f600",
    "\U0001f44d\U0001f3fd",  # a thumb with a skin tone
    "\U0001f1fa\U0001f1f8",  # a flag
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",  # a family of four
    "\u2764\ufe0f",
    "\U0001f469\U0001f3ff\u200d\U0001f680",
    "1\ufe0f\u20e3",
)
_EDGES = (0, 1, 66, 67, 68, 69, 70, 71, 133, 134, 135, 152, 153, 154, 159, 160, 161, 306, 307, 460)


def why_absent() -> str | None:
    """The reason to skip, with the cure; None where the peer can be asked."""
    if shutil.which("node") is None:
        return "node is not installed: the carrier's calculator cannot run"
    if not (HOME / "node_modules" / "sms-segments-calculator").is_dir():
        return f"not installed: npm install --prefix {HOME} {PEER}"
    return None


def counted(texts: Sequence[str]) -> list[tuple[str, int]]:
    """(encoding, segments) of each text, as the carrier's calculator has it."""
    done = subprocess.run(
        ["node", "-e", _COUNT],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        cwd=HOME,
        timeout=60,
    )
    return [(encoding, count) for encoding, count in json.loads(done.stdout)]


def random_texts(seed: int, count: int) -> list[str]:
    """Texts of every alphabet, most of them as long as a segment or a little off."""
    chance = random.Random(seed)
    pools: list[Sequence[str]] = [
        _PLAIN,
        _PLAIN[:40] + _EXTENSION * 4,
        _PLAIN + _FOREIGN,
        _FOREIGN,
        [*_PLAIN, *_PICTURES * 4],
        [*_PLAIN[:20], *_FOREIGN, *_PICTURES, *_ACCENTED * 4],
    ]
    return [_text(chance, chance.choice(pools)) for _ in range(count)]


def _text(chance: random.Random, pool: Sequence[str]) -> str:
    units = chance.choice((*_EDGES, chance.randint(0, 700)))
    text = ""
    while len(text.encode("utf-16-le")) // 2 < units:
        text += chance.choice(pool)
    return text


def write_vectors() -> None:
    texts = random_texts(seed=2026, count=120)
    vectors = [[text, *answer] for text, answer in zip(texts, counted(texts), strict=True)]
    made = "segment_peer.py: [text, encoding, segments]"
    lines = ",\n".join(json.dumps(vector) for vector in vectors)
    VECTORS.write_text(
        f'{{"peer": "{PEER}", "made_by": "{made}", "vectors": [\n{lines}\n]}}\n', encoding="utf-8"
    )


if __name__ == "__main__":
    write_vectors()
