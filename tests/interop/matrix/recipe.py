"""What docs/intermediaries tells people to configure. The intermediaries here are configured with it, so that it is known to do."""
import os
import textwrap

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../docs/intermediaries")


def block(page, beginning):
    """The block of code of a page whose text begins so."""
    with open(os.path.join(FOLDER, page)) as file:
        parts = file.read().split("```")
    # Between two marks, without the word that says in which language it is.
    found = [textwrap.dedent(part.partition("\n")[2]).strip() for part in parts[1::2]]
    return next(text for text in found if text.startswith(beginning))
