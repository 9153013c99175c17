"""Is the page to try without installing whole, and does it ask nobody but MathJax?"""

import re

import pytest
from make_site import build
from page import OUTPUTS, PROSE, ROOT, STORED


@pytest.mark.slow
def test_the_site_is_two_whole_pages_that_ask_only_mathjax(tmp_path):
    build(tmp_path / "site")
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "site").iterdir()}
    assert sorted(pages) == ["index.html", "pad.html"]
    assert pages["pad.html"] == (ROOT / "data" / "digit_pad.html").read_text(encoding="utf-8")
    page = pages["index.html"]
    tags = "\n".join(re.findall(r"<[a-z][^>]*>", page))
    ids, links = ({*re.findall(rf'\b{name}="([^"]*)"', tags)} for name in ("id", "href"))
    assert {link[1:] for link in links if link.startswith("#")} <= ids
    assert {link for link in links if not re.match("#|https://", link)} == {"pad.html"}
    sources = [source for source in re.findall(r'\bsrc="([^"]{1,200})', tags) if source[:5] != "data:"]
    assert len(sources) == 1 and "mathjax" in sources[0]
    styles = "".join(re.findall("(?s)<style.*?</style>", page))
    assert not re.search(r"url\([\"']?(?!data:|#)|@import", styles)
    assert len(re.findall(r'class="jp-Cell jp-', tags)) == len(STORED["cells"]) + 1
    figures = sum("image/png" in out.get("data", {}) for out in OUTPUTS)
    typed_in = PROSE.count("](data:image/png;base64,")
    assert tags.count("data:image/png;base64,") == figures + typed_in
    assert page.rstrip().endswith("</html>") and "NETWORKS = [" in page and 'class="digit-pad"' in page
    assert "No description" not in page and page.count('alt="') >= figures
    assert not re.search(r"/(root|home|tmp|Users|work)/|[A-Z]:\\", page), "a path of some machine"
