"""The catalogue of diagnoses. It makes none."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from postroom.core import diagnosis
from postroom.web.schema.base import ListQuery
from postroom.web.schema.diagnosis import Catalogue, CatalogueEntry
from postroom.web.schema.paged import page_of

router = APIRouter(prefix="/diagnoses", tags=["diagnoses"])


@router.get("", operation_id="list_diagnoses")
async def show_all(query: Annotated[ListQuery, Query()]) -> Catalogue:
    """Every diagnosis that there is, with what it means and what to do about it in general. A diagnosis of a mailbox
    says more: the provider's menu, the certificate's date."""
    entries = sorted(diagnosis.catalogue(), key=lambda one: one.code)
    part, following = page_of(entries, lambda one: one.code, limit=query.limit, cursor=query.cursor)
    return Catalogue(items=[CatalogueEntry.of(one) for one in part], next_cursor=following)
