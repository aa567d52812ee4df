"""Write every file of cases, or say which would change."""

import sys

from tools.cases.every import made
from tools.cases.writing import TARGET, text_of

if __name__ == "__main__":
    texts = {TARGET / f"{one.kind}.json": text_of(one) for one in made()}
    stale = [path for path in TARGET.glob("*.json") if path not in texts]
    stale += [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        print("\n".join(f"{path}: would change" for path in stale) or "as they should be")
        sys.exit(bool(stale))
    for path in stale:
        if path in texts:
            path.write_text(texts[path])
        else:
            path.unlink()
        print(f"{path}: {'written' if path in texts else 'removed'}")
