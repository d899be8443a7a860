"""Makes the links of the built documentation lead somewhere, and fails where one does not.

DocC takes a link to another article's file, which is one that GitHub and editors follow, as it
stands, and on the site nothing is there. This points links to articles at their pages, and links
to other files of the repository at copies of these.

    doclinks.py CATALOGUE SITE
"""

import json
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def anchors(value):
    """The anchors of headings anywhere in a page."""
    if isinstance(value, dict):
        if value.get("type") == "heading" and "anchor" in value:
            yield value["anchor"].lower()
        for each in value.values():
            yield from anchors(each)
    elif isinstance(value, list):
        for each in value:
            yield from anchors(each)


def target(url, catalogue, site, pages):
    """Where a link of an article should lead: an address on the site; None for nowhere."""
    path, _, anchor = url.partition("#")
    file = (catalogue / path).resolve()
    if file.parent == catalogue and file.suffix == ".md":
        page = next((each for each in pages if each.split("/")[-1] == file.stem.lower()), None)
        if file.name == "Skein.md":
            page = "skeincore" if "skeincore" in pages else None
        if page is None or (anchor and anchor.lower() not in pages[page]):
            return None
        return f"/documentation/{page}" + (f"#{anchor}" if anchor else "")
    if not file.is_file() or not file.is_relative_to(ROOT):
        return None
    name = file.relative_to(ROOT)
    copy = site / "repository" / name
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, copy)
    return f"/repository/{name}"


def main():
    catalogue, site = (pathlib.Path(word).resolve() for word in sys.argv[1:])
    folder = site / "data" / "documentation"
    texts = {path: json.loads(path.read_text()) for path in folder.rglob("*.json")}
    pages = {str(path.relative_to(folder).with_suffix("")): set(anchors(text))
             for path, text in texts.items()}
    count, faults = 0, []
    for path, text in texts.items():
        for link in text.get("references", {}).values():
            url = link.get("url", "")
            if not url or "://" in url or url.startswith("mailto:"):
                continue
            count += 1
            if url.startswith("/documentation/"):
                page, _, anchor = url.removeprefix("/documentation/").partition("#")
                if page not in pages or (anchor and anchor.lower() not in pages[page]):
                    faults.append(f"{path.stem}: {url}")
            elif url.startswith("#"):
                own = str(path.relative_to(folder).with_suffix(""))
                if url[1:].lower() not in pages[own]:
                    faults.append(f"{path.stem}: {url}")
            elif not url.startswith("/"):
                found = target(url, catalogue, site, pages)
                if found is None:
                    faults.append(f"{path.stem}: {url}")
                else:
                    link["url"] = found
        path.write_text(json.dumps(text, ensure_ascii=False, separators=(",", ":")))
    if faults:
        sys.exit("\n".join(f"link to nowhere: {fault}" for fault in sorted(set(faults))))
    print(f"{count} links on {len(pages)} pages lead somewhere")


main()
