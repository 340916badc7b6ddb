# SPDX-License-Identifier: GPL-2.0-only
"""gup-page-without-reference: get_user_pages hands out a page without a reference.

Must be found as: S3 in nowait+any
"""

base = "drop-retry"


@atomic
def gup_take_page(folio: Folio):
    """Take the caller's reference on a page that GUP hands out.

    Source: try_grab_folio, mm/gup.c, 6.12
    Context: PTL held, so the PTE's reference keeps the folio alive
    Returns: nothing
    Left out: private pages (they have no folio here); the pin bias of FOLL_PIN
    """
    if folio is None:
        return
    folio.extra_refs += 1
    current.gup_folio = folio
